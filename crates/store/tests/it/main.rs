//! One suite, run on SQLite and on PostgreSQL: what holds on one engine holds on the other.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod baselines;
mod basics;
mod durability;
mod events;
mod incidents;
mod lab;
mod labels;
mod people;
mod queues;
mod response;

/// Every case, once per engine.
macro_rules! on_both {
    ($($module:ident: $($case:ident),+ $(,)?;)+) => {
        mod on_sqlite {
            $(mod $module { $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    crate::$module::$case(&crate::lab::Lab::sqlite().await).await;
                }
            )+ })+
        }
        mod on_postgres {
            $(mod $module { $(
                #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
                async fn $case() {
                    let Some(lab) = crate::lab::Lab::postgres().await else { return };
                    crate::$module::$case(&lab).await;
                }
            )+ })+
        }
    };
}

on_both! {
    baselines:
        baselines_are_saved_whole_by_one_holder;
    basics:
        the_inventory_keeps_versions,
        keys_are_bound_until_revoked,
        epochs_only_rise,
        nothing_is_left_after_a_rollback,
        a_read_is_a_consistent_view;
    durability:
        what_was_committed_is_there_after_reopening,
        migrations_run_once;
    events:
        sequences_have_no_gaps_under_concurrency,
        an_event_is_read_back_as_sealed,
        a_float_has_no_sealed_form;
    incidents:
        a_stale_update_is_a_conflict,
        of_two_writers_one_wins,
        lists_filter_and_page,
        text_filters_are_literal,
        replayed_signals_change_nothing,
        signals_are_counted_over_time,
        interactions_and_roles_are_kept;
    people:
        names_are_unique,
        sessions_end,
        tokens_are_found_by_hash,
        a_link_works_once;
    queues:
        work_is_queued_once_and_put_off_on_failure,
        replies_are_remembered_per_actor,
        cursors_snapshots_and_reports_are_replaced,
        principals_are_counted_once_an_hour;
    labels:
        signals_are_labelled_one_by_one_and_by_incident,
        a_model_moves_by_its_version;
    response:
        measures_move_through_their_states,
        an_approval_is_used_once,
        evidence_is_listed_in_order;
}
