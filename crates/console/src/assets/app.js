// Quell console: comfort on top of pages that work without it.
"use strict";
(() => {
  const $ = (selector, root = document) => root.querySelector(selector);
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const body = document.body;

  // --- Times: relative words tick, clocks move to the reader's zone, which is named. ---
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "UTC";
  const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23" });
  const full = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "long", hourCycle: "h23" });
  // The server's clock is the one deadlines are measured by; the reader's may be wrong.
  const skew = Date.parse(body.dataset.now) - performance.now();
  const now = () => skew + performance.now();

  function span(seconds) {
    if (seconds < 60) return `${seconds} s`;
    if (seconds < 5400) return `${Math.floor(seconds / 60)} min`;
    if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
    return `${Math.floor(seconds / 86400)} d`;
  }

  function relative(iso) {
    const seconds = Math.round((Date.parse(iso) - now()) / 1000);
    if (seconds <= 0 && seconds > -5) return "now";
    return seconds > 0 ? `in ${span(seconds)}` : `${span(-seconds)} ago`;
  }

  function localise(root) {
    for (const time of $$("time", root)) {
      const date = new Date(time.dateTime);
      if ("clock" in time.dataset) time.textContent = clock.format(date);
      if ("full" in time.dataset) time.textContent = full.format(date);
      else time.title = full.format(date);
    }
  }

  function tick() {
    for (const time of $$("time[data-ago]")) {
      const words = relative(time.dateTime);
      if (time.textContent !== words) time.textContent = words;
    }
  }

  // --- Live regions: an event names what changed; those regions alone are fetched again. ---
  const CHANGES = {
    header: ["header", "classification", "affected"], containment: ["containment", "header"],
    roles: ["roles", "header"], notes: [], evidence: ["evidence"],
    interactions: ["interactions", "affected", "classification"],
  };
  const pending = new Set();
  let timer = 0;
  const schedule = (wait) => { timer ||= setTimeout(refresh, wait); };
  const parse = (html) => new DOMParser().parseFromString(html, "text/html");
  const regionOf = (name, root) => $(`[data-region="${CSS.escape(name)}"]`, root);

  async function refresh() {
    timer = 0;
    const names = [...pending].filter((name) => regionOf(name));
    pending.clear();
    if (!names.length) return;
    const url = new URL(location.href);
    url.searchParams.set("region", names.join());
    url.hash = "";
    const answer = await fetch(url).catch(() => null);
    if (!answer || !answer.ok || answer.redirected) return;
    const fresh = parse(await answer.text());
    for (const name of names) {
      const [old, now] = [regionOf(name), regionOf(name, fresh)];
      // Never pull a field or an open list away from under somebody's hands.
      if (old?.contains(document.activeElement) && document.activeElement !== body) { pending.add(name); continue; }
      if (old && now) { localise(now); old.replaceWith(now); }
    }
    if (pending.size) schedule(2000);
  }

  function listen() {
    if (!$("[data-region]") || location.protocol === "file:") return;
    const room = $("[data-incident]");
    const source = new EventSource(`/events?after=${encodeURIComponent(body.dataset.seq)}`);
    const live = $("[data-live]");
    const say = (text) => { if (live) { live.hidden = false; live.textContent = text; } };
    source.onopen = () => say("Live.");
    source.onerror = () => say("Reconnecting; what you see may be old.");
    source.onmessage = ({ data }) => {
      const { incident, region } = JSON.parse(data);
      pending.add("posture");
      if (room && region !== "all") {
        if (incident === room.dataset.incident) for (const name of ["timeline", ...(CHANGES[region] ?? [])]) pending.add(name);
      } else {
        for (const element of $$("[data-region]")) pending.add(element.dataset.region);
      }
      schedule(250);
    };
  }

  // --- Sheets: a confirm page, shown over this one. Without the script it is a page. ---
  function sheet(content, kind) {
    const dialog = document.createElement("dialog");
    dialog.className = kind;
    dialog.append(content);
    dialog.addEventListener("close", () => dialog.remove());
    dialog.addEventListener("click", (event) => {
      if (event.target === dialog || event.target.closest("[data-close]")) { event.preventDefault(); dialog.close(); }
    });
    body.append(dialog);
    dialog.showModal();
    return dialog;
  }

  async function confirmation(url, options, fallback) {
    const answer = await fetch(url, options).catch(() => null);
    const card = answer && !answer.redirected && $("main .card", parse(await answer.text()));
    if (!card) return fallback();
    localise(card);
    $("[autofocus], input:not([type=hidden]), button", sheet(card, "confirm"))?.focus();
  }

  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-sheet]");
    if (!link || event.metaKey || event.ctrlKey) return;
    event.preventDefault();
    confirmation(link.href, {}, () => location.assign(link.href));
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if ("sheet" in form.dataset) {
      event.preventDefault();
      confirmation(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)) }, () => form.submit());
    } else if (form.method === "post") {
      // Twice pressed is once meant.
      setTimeout(() => $$("button", form).forEach((button) => { button.disabled = true; }));
    }
  });

  // --- Command palette and keys ---
  function palette() {
    const box = document.createElement("div");
    const input = Object.assign(document.createElement("input"), { type: "search", placeholder: "Go to, or search incidents" });
    input.setAttribute("aria-label", "Command");
    const list = document.createElement("ul");
    const places = $$(".rail a, main a.t, main td a.title, main .acts a, .bar a").map((a) => [a.textContent.trim(), a.href]);
    places.push(["Declare incident", "/incidents/declare"]);
    let at = 0;
    const draw = () => {
      const words = input.value.toLowerCase();
      const found = places.filter(([name]) => name.toLowerCase().includes(words)).slice(0, 12);
      if (words) found.push([`Search incidents for “${input.value}”`, `/incidents?view=all&q=${encodeURIComponent(input.value)}`]);
      at = Math.max(0, Math.min(at, found.length - 1));
      list.replaceChildren(...found.map(([name, href], index) => {
        const link = Object.assign(document.createElement("a"), { href, textContent: name });
        link.classList.toggle("on", index === at);
        const item = document.createElement("li");
        item.append(link);
        return item;
      }));
    };
    input.addEventListener("input", () => { at = 0; draw(); });
    input.addEventListener("keydown", (event) => {
      const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
      if (step) { at += step; draw(); event.preventDefault(); }
      if (event.key === "Enter") { $("a.on", list)?.click(); event.preventDefault(); }
    });
    box.append(input, list);
    sheet(box, "palette");
    draw();
    input.focus();
  }

  const KEYS = [["j  k", "Next, previous row"], ["Enter", "Open the row"], ["a", "Take the role commander"], ["c", "Contain"], ["n", "Write a note"], ["/", "Commands and search"], ["?", "These keys"], ["Esc", "Close"]];

  function help() {
    const list = document.createElement("dl");
    list.className = "keys";
    for (const [key, meaning] of KEYS) {
      const term = document.createElement("dt");
      term.append(Object.assign(document.createElement("kbd"), { textContent: key }));
      list.append(term, Object.assign(document.createElement("dd"), { textContent: meaning }));
    }
    sheet(list, "help");
  }

  let row = -1;
  function move(step) {
    const rows = $$("[data-row]");
    if (!rows.length) return;
    rows[row]?.classList.remove("on");
    row = Math.max(0, Math.min(rows.length - 1, row + step));
    rows[row].classList.add("on");
    rows[row].scrollIntoView({ block: "nearest" });
    $("a, button", rows[row])?.focus({ preventScroll: true });
  }

  function contain() {
    const panel = $("#contain, #levels");
    if (!panel) return location.assign("/containment");
    panel.scrollIntoView();
    $("a, button, summary", panel)?.focus() ?? $("#levels summary")?.focus();
  }

  document.addEventListener("keydown", (event) => {
    if (event.metaKey || event.ctrlKey || event.altKey || $("dialog[open]")) return;
    if (event.target.closest("input, textarea, select")) return;
    const act = {
      j: () => move(1), k: () => move(-1), "/": palette, "?": help, c: contain,
      n: () => $("[data-key=n]")?.focus(), a: () => $("[data-key=a]")?.click(),
    }[event.key];
    if (act) { event.preventDefault(); act(); }
  });

  for (const button of $$("[data-help]")) { button.hidden = false; button.addEventListener("click", help); }
  document.addEventListener("click", (event) => {
    for (const menu of $$("details.menu[open]")) if (!menu.contains(event.target)) menu.open = false;
  });

  const zoneNote = $("[data-zone]");
  if (zoneNote) zoneNote.textContent = `Times are in ${zone}.`;
  if (location.search.includes("done=")) {
    const url = new URL(location.href);
    url.searchParams.delete("done");
    history.replaceState(null, "", url);
  }
  localise(document);
  tick();
  setInterval(tick, 1000);
  listen();
})();
