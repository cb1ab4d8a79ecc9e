//! Scans one field with one or more pattern sets, byte by byte and only ever looking back, so the
//! hits and the positions at which they are found do not depend on how the text was split.

use aho_corasick::Anchored;
use aho_corasick::automaton::{Automaton as _, StateID};
use quell_domain::interaction::Role;
use quell_domain::rule::Direction;
use regex_automata::Input;
use regex_automata::dfa::Automaton;
use regex_automata::util::primitives::StateID as DfaState;
use regex_automata::util::start;

use super::compile::{FOLDED, Hold, Pattern, PatternSet, Subject};
use super::matcher::Matcher;
use super::track::Track;
use crate::budget::Budget;
use crate::fold::{Window, char_end};
use crate::validate::LOOK_BEHIND;

/// One match of one pattern. Positions are bytes of the original field.
#[derive(Debug, Clone)]
pub(crate) struct Hit {
    /// What it stands for.
    pub(crate) subject: Subject,
    /// First byte.
    pub(crate) start: usize,
    /// One past the last byte.
    pub(crate) end: usize,
    /// How many bytes of the field had to be seen to know.
    pub(crate) trigger: usize,
    /// From where on the text was held back until now; none: it was not.
    pub(crate) held_from: Option<usize>,
}

/// Matches that may still complete at one time, per view and pattern set.
const MAX_THREADS: usize = 64;
/// Windows of one pattern closer together than this are searched at once.
const MAX_WINDOW: usize = 8 * 1024;
/// Bytes between two looks at the budget.
const STRIDE: usize = 1024;

/// The scanning state of one field.
#[derive(Debug, Clone)]
pub(crate) struct Scanner {
    role: Role,
    direction: Direction,
    raw: Window,
    folded: Window,
    lanes: Vec<Lane>,
    before: Vec<Lane>,
}

/// One pattern set over one view of the text.
#[derive(Debug, Clone)]
struct Lane {
    set: usize,
    track: usize,
    at: usize,
    state: StateID,
    threads: Vec<Thread>,
    windows: Vec<Pending>,
    next_due: usize,
    last_ends: Vec<(usize, usize)>,
    crowded: bool,
}

/// A match in progress.
#[derive(Debug, Clone)]
struct Thread {
    pattern: usize,
    start: usize,
    state: DfaState,
    matched: Option<usize>,
}

/// A window to be searched once the text reaches `due`.
#[derive(Debug, Clone)]
struct Pending {
    pattern: usize,
    from: usize,
    due: usize,
}

impl Scanner {
    /// A scanner at the beginning of a field. `sets` must be the same at every call.
    pub(crate) fn new(sets: &[&PatternSet], role: Role, direction: Direction) -> Self {
        let mut lanes = Vec::new();
        for (set, patterns) in sets.iter().enumerate() {
            for (track, keywords) in patterns.tracks.iter().enumerate() {
                let start =
                    keywords.as_ref().and_then(|k| k.automaton.start_state(Anchored::No).ok());
                lanes.extend(start.map(|state| Lane {
                    set,
                    track,
                    at: 0,
                    state,
                    threads: Vec::new(),
                    windows: Vec::new(),
                    next_due: usize::MAX,
                    last_ends: Vec::new(),
                    crowded: false,
                }));
            }
        }
        let (raw, folded) = (Window::default(), Window::default());
        Self { role, direction, raw, folded, lanes, before: Vec::new() }
    }

    /// Bytes of the field seen so far.
    pub(crate) const fn end(&self) -> usize {
        self.raw.end()
    }

    /// Scans more text; hits come in the order in which they became known.
    pub(crate) fn push(
        &mut self,
        sets: &[&PatternSet],
        text: &str,
        budget: &mut Budget,
    ) -> Vec<Hit> {
        self.raw.trim();
        self.folded.trim();
        self.folded.push_folded(text, self.raw.end());
        self.raw.push_raw(text);
        self.before.clone_from(&self.lanes);
        self.run(sets, None, budget)
    }

    /// The field is over: what could still match is decided.
    pub(crate) fn finish(&mut self, sets: &[&PatternSet], budget: &mut Budget) -> Vec<Hit> {
        let end = self.raw.end();
        let mut hits = Vec::new();
        for lane in &mut self.lanes {
            if let Some(mut pass) =
                pass(sets, lane, &self.raw, &self.folded, self.role, self.direction)
            {
                pass.finish(lane, budget, &mut hits);
            }
        }
        for hit in &mut hits {
            hit.trigger = end;
        }
        self.before.clone_from(&self.lanes);
        hits
    }

    /// What [`finish`](Self::finish) would find if the field ended here; it goes on.
    pub(crate) fn so_far(&self, sets: &[&PatternSet], budget: &mut Budget) -> Vec<Hit> {
        if self.lanes.iter().all(|lane| lane.threads.is_empty() && lane.windows.is_empty()) {
            return Vec::new();
        }
        self.clone().finish(sets, budget)
    }

    /// Whether matches were dropped because too many were in progress at once.
    pub(crate) fn crowded(&self) -> bool {
        self.lanes.iter().any(|lane| lane.crowded)
    }

    /// Up to where the field may leave as far as matches in progress are concerned.
    pub(crate) fn hold(&self, sets: &[&PatternSet]) -> usize {
        hold_of(&self.lanes, sets, &self.raw, &self.folded)
    }

    /// What [`hold`](Self::hold) was when `position` bytes had been seen. Only for positions
    /// inside the last push.
    pub(crate) fn hold_at(&mut self, sets: &[&PatternSet], position: usize) -> usize {
        let mut budget = Budget::new(u64::MAX);
        std::mem::swap(&mut self.lanes, &mut self.before);
        self.run(sets, Some(position), &mut budget);
        let hold = self.hold(sets);
        std::mem::swap(&mut self.lanes, &mut self.before);
        hold.min(position)
    }

    fn run(&mut self, sets: &[&PatternSet], until: Option<usize>, budget: &mut Budget) -> Vec<Hit> {
        let mut hits = Vec::new();
        for lane in &mut self.lanes {
            if let Some(mut pass) =
                pass(sets, lane, &self.raw, &self.folded, self.role, self.direction)
            {
                let until = until.map_or(pass.view.end(), |position| pass.local(position));
                pass.run(lane, until, budget, &mut hits);
            }
        }
        hits.sort_by_key(|hit| (hit.trigger, hit.start, hit.end));
        hits
    }
}

fn hold_of(lanes: &[Lane], sets: &[&PatternSet], raw: &Window, folded: &Window) -> usize {
    let mut hold = raw.end();
    for lane in lanes {
        let Some(Some(track)) = sets.get(lane.set).map(|set| &set.tracks[lane.track]) else {
            continue;
        };
        let patterns = &sets[lane.set].patterns;
        let view = if lane.track == FOLDED { folded } else { raw };
        let waits_from = |thread: &Thread| match patterns[thread.pattern].hold {
            Hold::Nothing => None,
            Hold::Whole => Some(thread.start),
            Hold::Number(hold) => {
                let before = view.slice(thread.start.saturating_sub(LOOK_BEHIND), thread.start);
                let from = hold.waits_from(before, view.slice(thread.start, lane.at))?;
                Some(thread.start + from)
            }
        };
        let threads = lane.threads.iter().filter_map(waits_from);
        let keyword = track.held_depth.get(&lane.state).map(|depth| lane.at - depth);
        let starts = threads.chain(keyword);
        if let Some(start) = starts.min() {
            let original = if lane.track == FOLDED { folded.original_start(start) } else { start };
            hold = hold.min(original);
        }
    }
    hold
}

/// One lane's tools while it runs.
struct Pass<'a> {
    track: &'a Track,
    patterns: &'a [Pattern],
    view: &'a Window,
    raw: &'a Window,
    folded: bool,
    role: Role,
    direction: Direction,
}

fn pass<'a>(
    sets: &[&'a PatternSet],
    lane: &Lane,
    raw: &'a Window,
    folded: &'a Window,
    role: Role,
    direction: Direction,
) -> Option<Pass<'a>> {
    let set = sets.get(lane.set)?;
    let is_folded = lane.track == FOLDED;
    Some(Pass {
        track: set.tracks[lane.track].as_ref()?,
        patterns: &set.patterns,
        view: if is_folded { folded } else { raw },
        raw,
        folded: is_folded,
        role,
        direction,
    })
}

impl Pass<'_> {
    /// The position in this view up to which the original's first `original` bytes reach.
    fn local(&self, original: usize) -> usize {
        if !self.folded {
            return original;
        }
        let (mut low, mut high) = (0, self.view.end());
        while low < high {
            let middle = low.midpoint(high);
            if self.view.original_start(middle) < original {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        low
    }

    /// The original position after the character that holds the byte before `end`.
    fn original_end(&self, end: usize) -> usize {
        let last = end.saturating_sub(1);
        let original = if self.folded { self.view.original_start(last) } else { last };
        char_end(self.raw, original + 1)
    }

    fn run(&mut self, lane: &mut Lane, until: usize, budget: &mut Budget, hits: &mut Vec<Hit>) {
        while lane.at < until {
            let stop = until.min(lane.at + STRIDE);
            if !budget.spend(stop - lane.at) {
                lane.give_up(until);
                return;
            }
            let mut rest = self.view.slice(lane.at, stop);
            while let Some(first) = rest.first() {
                if lane.at >= lane.next_due {
                    self.search_due(lane, lane.at, budget, hits);
                }
                if lane.threads.is_empty() {
                    let near = rest.len().min(lane.next_due - lane.at);
                    rest = &rest[self.skip(lane, &rest[..near])..];
                } else {
                    budget.spend(lane.threads.len());
                    self.step_threads(lane, *first, hits);
                    rest = &rest[self.skip(lane, &rest[..1])..];
                }
                if self.track.automaton.is_match(lane.state) {
                    self.keywords(lane, budget, hits);
                }
            }
        }
        if lane.at >= lane.next_due {
            self.search_due(lane, lane.at, budget, hits);
        }
    }

    /// Steps over bytes up to and including the one that completes a keyword; how many.
    fn skip(&self, lane: &mut Lane, bytes: &[u8]) -> usize {
        let automaton = &self.track.automaton;
        let mut state = lane.state;
        let mut taken = bytes.len();
        for (index, byte) in bytes.iter().enumerate() {
            state = automaton.next_state(Anchored::No, state, *byte);
            if automaton.is_special(state) && automaton.is_match(state) {
                taken = index + 1;
                break;
            }
        }
        lane.state = state;
        lane.at += taken;
        taken
    }

    fn finish(&mut self, lane: &mut Lane, budget: &mut Budget, hits: &mut Vec<Hit>) {
        let end = lane.at;
        for mut thread in std::mem::take(&mut lane.threads) {
            let matches = match &self.patterns[thread.pattern].matcher {
                Matcher::Prefix(dfa) => ends_match(&**dfa, thread.state),
                Matcher::Rare(dfa) => ends_match(&**dfa, thread.state),
                Matcher::Literal | Matcher::Window(_) => false,
            };
            if matches {
                thread.matched = Some(end);
            }
            self.settle(lane, &thread, end, hits);
        }
        self.search_due(lane, usize::MAX, budget, hits);
        lane.give_up(end);
    }

    fn step_threads(&self, lane: &mut Lane, byte: u8, hits: &mut Vec<Hit>) {
        let mut index = 0;
        while index < lane.threads.len() {
            let thread = &mut lane.threads[index];
            if self.step(thread, byte, lane.at) {
                index += 1;
            } else {
                let thread = lane.threads.remove(index);
                self.settle(lane, &thread, lane.at + 1, hits);
            }
        }
    }

    /// Feeds one byte to a match in progress; `false` when it is over.
    fn step(&self, thread: &mut Thread, byte: u8, at: usize) -> bool {
        let pattern = &self.patterns[thread.pattern];
        match &pattern.matcher {
            Matcher::Prefix(dfa) => thread.step(&**dfa, pattern.max_len, byte, at),
            Matcher::Rare(dfa) => thread.step(&**dfa, pattern.max_len, byte, at),
            Matcher::Literal | Matcher::Window(_) => false,
        }
    }

    fn settle(&self, lane: &mut Lane, thread: &Thread, seen: usize, hits: &mut Vec<Hit>) {
        if let Some(end) = thread.matched {
            self.hit(lane, thread.pattern, thread.start, end, seen, hits);
        }
    }

    fn keywords(&self, lane: &mut Lane, budget: &mut Budget, hits: &mut Vec<Hit>) {
        let automaton = &self.track.automaton;
        for index in 0..automaton.match_len(lane.state) {
            let keyword = automaton.match_pattern(lane.state, index);
            let start = lane.at - automaton.pattern_len(keyword);
            for owner in &self.track.owners[keyword.as_usize()] {
                let pattern = &self.patterns[*owner];
                if !pattern.listens_to(self.role) || !pattern.covers(self.direction) {
                    continue;
                }
                match &pattern.matcher {
                    Matcher::Literal => self.hit(lane, *owner, start, lane.at, lane.at, hits),
                    Matcher::Prefix(_) | Matcher::Rare(_) => {
                        self.begin(lane, *owner, start, budget, hits);
                    }
                    Matcher::Window(_) => lane.schedule(*owner, start, pattern.max_len),
                }
            }
        }
    }

    /// Starts following a match whose keyword has just been completed.
    fn begin(
        &self,
        lane: &mut Lane,
        pattern: usize,
        from: usize,
        budget: &mut Budget,
        hits: &mut Vec<Hit>,
    ) {
        if lane.threads.iter().any(|thread| thread.pattern == pattern && thread.start == from) {
            return;
        }
        if lane.threads.len() >= MAX_THREADS {
            lane.crowded = true;
            return;
        }
        let before = from.checked_sub(1).and_then(|position| self.view.byte(position));
        let config =
            start::Config::new().anchored(regex_automata::Anchored::Yes).look_behind(before);
        let state = match &self.patterns[pattern].matcher {
            Matcher::Prefix(dfa) => dfa.start_state(&config),
            Matcher::Rare(dfa) => dfa.start_state(&config),
            Matcher::Literal | Matcher::Window(_) => return,
        };
        let Ok(state) = state else { return };
        let mut thread = Thread { pattern, start: from, state, matched: None };
        budget.spend(lane.at - from);
        for position in from..lane.at {
            let byte = self.view.byte(position).unwrap_or(0);
            if !self.step(&mut thread, byte, position) {
                self.settle(lane, &thread, lane.at, hits);
                return;
            }
        }
        lane.threads.push(thread);
    }

    /// Searches every window that is complete at `now`.
    fn search_due(&self, lane: &mut Lane, now: usize, budget: &mut Budget, hits: &mut Vec<Hit>) {
        let (due, later): (Vec<_>, Vec<_>) =
            std::mem::take(&mut lane.windows).into_iter().partition(|window| window.due <= now);
        lane.windows = later;
        lane.next_due = lane.windows.iter().map(|window| window.due).min().unwrap_or(usize::MAX);
        for window in due {
            let due = window.due.min(self.view.end());
            let context = window.from.saturating_sub(4);
            let text = self.view.slice(context, due);
            let Matcher::Window(search) = &self.patterns[window.pattern].matcher else {
                continue;
            };
            let Some(regex) = search.regex() else { continue };
            if !budget.spend(text.len()) {
                return;
            }
            let origin = due - text.len();
            let input = Input::new(text).range((window.from - context).min(text.len())..);
            for found in regex.find_iter(input) {
                let (start, end) = (origin + found.start(), origin + found.end());
                self.hit(lane, window.pattern, start, end, due, hits);
            }
        }
    }

    /// The text of a match in its own case, unless folding changed more than that.
    fn as_written(&self, start: usize, end: usize) -> &[u8] {
        let seen = self.view.slice(start, end);
        if !self.folded {
            return seen;
        }
        let raw = self.raw.slice(self.view.original_start(start), self.original_end(end));
        if raw.len() == seen.len() { raw } else { seen }
    }

    fn hit(
        &self,
        lane: &mut Lane,
        index: usize,
        start: usize,
        end: usize,
        seen: usize,
        hits: &mut Vec<Hit>,
    ) {
        let pattern = &self.patterns[index];
        let (end, fact) = match pattern.validator {
            None => (end, None),
            Some(validator) => {
                let before = self.view.slice(start.saturating_sub(LOOK_BEHIND), start);
                match validator.accept(before, self.as_written(start, end)) {
                    Some(accepted) => (start + accepted.length, accepted.fact),
                    None => return,
                }
            }
        };
        match lane.last_ends.iter_mut().find(|(pattern, _)| *pattern == index) {
            Some((_, last)) if start < *last => return,
            Some((_, last)) => *last = end,
            None => lane.last_ends.push((index, end)),
        }
        let held_from = match pattern.hold {
            Hold::Nothing => None,
            Hold::Whole => Some(start),
            Hold::Number(hold) => fact.and_then(|fact| {
                let before = self.view.slice(start.saturating_sub(LOOK_BEHIND), start);
                let from = hold.kept_from(before, self.view.slice(start, end), fact)?;
                Some(start + from)
            }),
        };
        let original = |at: usize| if self.folded { self.view.original_start(at) } else { at };
        hits.push(Hit {
            subject: fact
                .map_or_else(|| pattern.subject.clone(), |fact| Subject::Fact(fact.into())),
            start: original(start),
            end: self.original_end(end),
            trigger: self.original_end(seen),
            held_from: held_from.map(original),
        });
    }
}

impl Thread {
    /// Takes one byte; `false` when the match is over.
    #[inline]
    fn step(&mut self, dfa: &impl Automaton, max_len: usize, byte: u8, at: usize) -> bool {
        self.state = dfa.next_state(self.state, byte);
        if dfa.is_special_state(self.state) {
            if dfa.is_match_state(self.state) {
                self.matched = Some(at);
            }
            if dfa.is_dead_state(self.state) || dfa.is_quit_state(self.state) {
                return false;
            }
        }
        if at + 1 - self.start >= max_len {
            if ends_match(dfa, self.state) {
                self.matched = Some(at + 1);
            }
            return false;
        }
        true
    }
}

/// Whether a match ends where the text does.
fn ends_match(dfa: &impl Automaton, state: DfaState) -> bool {
    dfa.is_match_state(dfa.next_eoi_state(state))
}

impl Lane {
    fn schedule(&mut self, pattern: usize, keyword: usize, reach: usize) {
        let from = keyword.saturating_sub(reach);
        let due = self.at + reach;
        let open = self.windows.iter_mut().find(|window| {
            window.pattern == pattern && window.due >= from && due - window.from <= MAX_WINDOW
        });
        match open {
            Some(window) => window.due = due,
            None => self.windows.push(Pending { pattern, from, due }),
        }
        self.next_due = self.windows.iter().map(|window| window.due).min().unwrap_or(usize::MAX);
    }

    fn give_up(&mut self, at: usize) {
        self.at = at;
        self.threads.clear();
        self.windows.clear();
        self.next_due = usize::MAX;
    }
}
