//! From shadow to enforce and back: who, why, when, and on which backtest.

use jiff::{SignedDuration, Timestamp};
use quell_detection::RuleInfo;
use quell_domain::rule::RuleMode;
use quell_domain::{AccessRole, RuleChangeId};
use quell_store::{BacktestSummary, RuleChange, RuleChangeKind, RuleSetting};
use serde_json::json;

use super::{effective_content, needed};
use crate::access::Access;
use crate::handle::Control;
use crate::refused::Refused;
use crate::unit::Unit;

/// The largest share of judged exchanges a rule may match, beyond those stopped anyway, to be
/// promoted.
pub const SHARE_MAX: f64 = 0.001;
/// Exchanges a backtest must have judged: with fewer, a share of one in a thousand cannot be told.
const JUDGED_MIN: u64 = 1_000;
/// How old a backtest may be.
const AGE_MAX: SignedDuration = SignedDuration::from_hours(24 * 30);

/// A wish to let a rule act.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Promotion {
    /// Why.
    pub reason: String,
    /// Pass over the checks.
    pub force: bool,
}

impl Control {
    /// Lets a rule act on traffic. Refused without a fresh backtest of the rule as it is now, or
    /// when that matched too much, unless forced.
    pub async fn promote_rule(
        &self,
        access: &Access,
        rule: &str,
        promotion: &Promotion,
    ) -> Result<RuleChange, Refused> {
        access.require(AccessRole::Admin)?;
        let reason = needed(&promotion.reason)?;
        let info = self.rule_info(rule).await?;
        let last = self.read().await?.last_backtest(rule).await?;
        let backtest = last.and_then(|change| change.backtest);
        if !promotion.force {
            check(&info, backtest.as_ref(), self.now())?;
        }
        let change = self.change(access, &info, RuleMode::Enforce, reason, backtest);
        self.choose(access, RuleChange { forced: promotion.force, ..change }).await
    }

    /// Lets a rule report only.
    pub async fn demote_rule(
        &self,
        access: &Access,
        rule: &str,
        reason: &str,
    ) -> Result<RuleChange, Refused> {
        access.require(AccessRole::Admin)?;
        let reason = needed(reason)?;
        let info = self.rule_info(rule).await?;
        let change = self.change(access, &info, RuleMode::Shadow, reason, None);
        self.choose(access, change).await
    }

    /// Gives a rule another mode. A rule whose file enforces it may always go back to that; for any
    /// other, `enforce` is a promotion.
    pub async fn set_rule_mode(
        &self,
        access: &Access,
        rule: &str,
        mode: RuleMode,
        reason: &str,
    ) -> Result<RuleChange, Refused> {
        if mode == RuleMode::Shadow {
            return self.demote_rule(access, rule, reason).await;
        }
        let ships = self.rules(access).await?.into_iter().find(|view| view.info.id == rule);
        let force = ships.is_some_and(|view| view.shipped_mode == RuleMode::Enforce);
        if !force {
            let promotion = Promotion { reason: reason.to_owned(), force };
            return self.promote_rule(access, rule, &promotion).await;
        }
        access.require(AccessRole::Admin)?;
        let reason = needed(reason)?;
        let info = self.rule_info(rule).await?;
        let change = self.change(access, &info, mode, reason, None);
        self.choose(access, change).await
    }

    /// Why a rule may not be enforced as things stand; none if it may.
    pub async fn enforcing_refused(
        &self,
        access: &Access,
        rule: &str,
    ) -> Result<Option<Refused>, Refused> {
        let all = self.rules(access).await?;
        let ships = all.iter().find(|view| view.info.id == rule);
        if ships.is_some_and(|view| view.shipped_mode == RuleMode::Enforce) {
            return Ok(None);
        }
        let info = self.rule_info(rule).await?;
        let last = self.read().await?.last_backtest(rule).await?;
        let backtest = last.and_then(|change| change.backtest);
        Ok(check(&info, backtest.as_ref(), self.now()).err())
    }

    /// Gives a rule back the mode its file gives it.
    pub async fn reset_rule_mode(&self, access: &Access, rule: &str) -> Result<(), Refused> {
        access.require(AccessRole::Admin)?;
        let before = self.rule_info(rule).await.ok().map(|info| info.mode);
        let mut unit = self.unit(&access.actor).await?;
        if !unit.delete_rule_setting(rule).await? {
            return Err(Refused::not_found("rule setting", rule));
        }
        let change = RuleChange {
            id: RuleChangeId::new(self.ids().as_ref()),
            rule: rule.to_owned(),
            at: self.now(),
            kind: RuleChangeKind::Reset,
            actor: access.actor.clone(),
            reason: String::new(),
            from: before,
            to: None,
            backtest: None,
            forced: false,
        };
        unit.note_rule_change(&change).await?;
        let epoch = unit.epoch().await?;
        unit.event(None, "rule.mode_reset", json!({"rule": rule, "epoch": epoch}));
        unit.commit().await?;
        Ok(())
    }

    async fn rule_info(&self, rule: &str) -> Result<RuleInfo, Refused> {
        let set = self.rule_book().current(&mut self.read().await?).await?;
        set.rule(rule).cloned().ok_or_else(|| Refused::not_found("rule", rule))
    }

    fn change(
        &self,
        access: &Access,
        info: &RuleInfo,
        to: RuleMode,
        reason: String,
        backtest: Option<BacktestSummary>,
    ) -> RuleChange {
        RuleChange {
            id: RuleChangeId::new(self.ids().as_ref()),
            rule: info.id.clone(),
            at: self.now(),
            kind: match to {
                RuleMode::Enforce => RuleChangeKind::Promoted,
                RuleMode::Shadow => RuleChangeKind::Demoted,
            },
            actor: access.actor.clone(),
            reason,
            from: Some(info.mode),
            to: Some(to),
            backtest,
            forced: false,
        }
    }

    async fn choose(&self, access: &Access, change: RuleChange) -> Result<RuleChange, Refused> {
        let Some(mode) = change.to else { return Ok(change) };
        let mut unit = self.unit(&access.actor).await?;
        let version = unit.rule_setting(&change.rule).await?.map(|row| row.version);
        let (rule, reason) = (change.rule.clone(), change.reason.clone());
        let setting = RuleSetting { rule, mode, actor: access.actor.clone(), reason };
        unit.put_rule_setting(&setting, version).await?;
        effective_content(&mut unit).await?;
        tell(&mut unit, &change, mode).await?;
        unit.commit().await?;
        Ok(change)
    }
}

async fn tell(unit: &mut Unit<'_>, change: &RuleChange, mode: RuleMode) -> Result<(), Refused> {
    unit.note_rule_change(change).await?;
    let epoch = unit.epoch().await?;
    let backtest = change.backtest.as_ref().map(|backtest| backtest.id.to_string());
    let data = json!({
        "rule": change.rule, "mode": mode, "reason": change.reason, "forced": change.forced,
        "backtest": backtest, "epoch": epoch,
    });
    unit.event(None, "rule.mode_set", data);
    Ok(())
}

/// Whether what is known about a rule allows to let it act.
fn check(
    info: &RuleInfo,
    backtest: Option<&BacktestSummary>,
    now: Timestamp,
) -> Result<(), Refused> {
    let refuse = |code, why: String| {
        let advice = "or force the promotion with a reason";
        Err(Refused::State { code, message: format!("{why}; {advice}") })
    };
    let again = format!("run `quell rules backtest --rule {}`", info.id);
    let Some(backtest) = backtest else {
        return refuse("no_backtest", format!("{} was never backtested; {again}", info.id));
    };
    if backtest.digest != info.digest {
        let why = format!("{} has changed since its backtest; {again}", info.id);
        return refuse("no_backtest", why);
    }
    if now.duration_since(backtest.at) > AGE_MAX {
        let why = format!("the backtest of {} is older than 30 days; {again}", info.id);
        return refuse("no_backtest", why);
    }
    if backtest.judged < JUDGED_MIN {
        let judged = backtest.judged;
        let why = format!(
            "the backtest judged {judged} exchanges, and {JUDGED_MIN} are needed; \
             run it over more traffic"
        );
        return refuse("too_little_traffic", why);
    }
    if backtest.share() > SHARE_MAX {
        let (found, most) = (100.0 * backtest.share(), 100.0 * SHARE_MAX);
        let why = format!(
            "{} would act on {found:.3} % of the traffic, and {most} % is the most; narrow it, \
             suppress what is harmless",
            info.id
        );
        return refuse("too_many_matches", why);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use quell_detection::RuleSet;

    fn summary(info: &RuleInfo, judged: u64, matched: u64) -> BacktestSummary {
        BacktestSummary {
            id: "rch_018f0000000070008000000000000001".parse().unwrap(),
            at: Timestamp::UNIX_EPOCH,
            digest: info.digest.clone(),
            from: Timestamp::UNIX_EPOCH,
            to: Timestamp::UNIX_EPOCH,
            application: None,
            judged,
            matched,
            already_stopped: 0,
            affected: 0,
        }
    }

    #[test]
    fn a_promotion_needs_a_fresh_backtest_with_few_matches() {
        let set = RuleSet::embedded().unwrap();
        let info = set.rule("delimiter_break").unwrap();
        let now = Timestamp::UNIX_EPOCH;
        let late = now + AGE_MAX + SignedDuration::from_secs(1);
        let changed = BacktestSummary { digest: "x".into(), ..summary(info, 9_000, 0) };
        for (backtest, now, code) in [
            (None, now, Some("no_backtest")),
            (Some(changed), now, Some("no_backtest")),
            (Some(summary(info, 9_000, 0)), late, Some("no_backtest")),
            (Some(summary(info, 999, 0)), now, Some("too_little_traffic")),
            (Some(summary(info, 1_000, 2)), now, Some("too_many_matches")),
            (Some(summary(info, 1_000, 1)), now, None),
        ] {
            let found = check(info, backtest.as_ref(), now).err().map(|refused| refused.code());
            assert_eq!(found, code, "{backtest:?}");
        }
    }
}
