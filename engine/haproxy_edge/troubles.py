"""What each kind of trouble does to the edges, as data: the one promise, freeze and never drain, row by row.

The names of conditions stand here and are used where they are raised; ``docs/architecture.md`` has the same table, and
a test compares them. Nothing but a good answer may ever empty an edge, and that only after its grace.
"""

from __future__ import annotations

from typing import NamedTuple

# conditions of the engine's own warnings; those of a watch are named by `kube`
EMPTY, EMPTIED, SLICE = "empty", "emptied", "slice"
OUTSIDE, FROZEN = "outside", "frozen"
STALE, FRESH = "stale", "fresh"


class Row(NamedTuple):
    """``seen_as``: conditions of warning events, or where else it is told; ``proof``: the test that shows it."""

    trouble: str
    seen_as: str
    edges: str
    until: str
    proof: str


TABLE: tuple[Row, ...] = (
    Row(
        "the API refuses: 401, 403",
        "`http-401`, `http-403`",
        "stay as they are",
        "a list succeeds",
        "test_an_api_error_is_never_read_as_no_endpoints",
    ),
    Row(
        "the API is ill: 429, 5xx",
        "`http-429`, `http-5…`",
        "stay as they are",
        "a list succeeds; Retry-After is honoured",
        "test_an_api_error_is_never_read_as_no_endpoints",
    ),
    Row(
        "the API cannot be reached, falls silent, breaks off",
        "`unreachable`, `timeout`, `dropped`",
        "stay as they are",
        "a list succeeds",
        "test_an_api_error_is_never_read_as_no_endpoints",
    ),
    Row(
        "an answer that makes no sense",
        "`truncated`, `wrong-kind`, `error-event`, `short-watch`",
        "stay as they are",
        "a list succeeds",
        "test_an_api_error_is_never_read_as_no_endpoints",
    ),
    Row(
        "410 Gone",
        "",
        "stay as they are",
        "the new list, after `backoff_min`",
        "test_a_410_leads_to_a_new_list_without_an_alarm",
    ),
    Row(
        "the kubeconfig cannot be used",
        "`kubeconfig`",
        "stay as they are",
        "it can",
        "test_an_api_error_is_never_read_as_no_endpoints",
    ),
    Row(
        "the view is older than `stale_after`",
        f"`{STALE}`, then `{FRESH}`",
        "stay as they are",
        "the API is heard again",
        "test_a_view_that_grows_old_is_told_once_and_so_is_its_recovery",
    ),
    Row(
        "a successful list or event says: no endpoint; the service or its slices were deleted",
        f"`{EMPTY}`, then `{EMPTIED}`",
        "keep their servers for `empty_grace`, then are emptied",
        "there are endpoints",
        "test_an_empty_service_keeps_its_servers_for_the_grace_and_is_emptied_then",
    ),
    Row(
        "a part of a slice makes no sense",
        f"`{SLICE}`",
        "get the rest",
        "it does",
        "test_warnings_of_slices_are_said_once_each",
    ),
    Row(
        "endpoints outside of `allowed_networks`",
        f"`{OUTSIDE}`",
        "get the others; where a port would have none left, they keep what they have",
        "the endpoint is gone, or the option allows it",
        "test_a_port_of_which_all_are_outside_keeps_what_it_had",
    ),
    Row(
        "the frontend's port is gone from the service while others are there",
        "the state's output, the edge's `problems`",
        "keep that frontend's servers, the other frontends go on",
        "the port is back, or the pillar names another",
        "test_a_port_name_that_is_not_there_keeps_its_servers_and_names_the_ports_there_are",
    ),
    Row(
        "the store cannot be read or written",
        "an error in the master's log",
        "stay as they are",
        "it can",
        "test_a_store_error_freezes_and_what_is_due_goes_out_when_it_works_again",
    ),
    Row(
        "the store is lost",
        "edges without record in the report",
        "stay as they are, then get the cluster's present content by the state lane",
        "they confirm",
        "test_a_lost_store_is_made_anew_from_the_cluster",
    ),
    Row(
        "the store was restored from an older day, or the master's clock was set back",
        "a warning in the master's log",
        "refuse the older generation; their signed refusal makes the engine issue the content above it",
        "at once",
        "test_a_refusal_that_shows_a_newer_generation_is_answered_above_it",
    ),
    Row(
        "an edge's own clock is wrong",
        "",
        "go on: generations and times are the master's",
        "",
        "test_a_clock_set_back_holds_nothing_up",
    ),
    Row(
        "the pillar is missing, or calls a service unknown",
        "the state's output",
        "keep that frontend's servers",
        "the pillar is there",
        "test_an_unknown_service_keeps_its_servers_and_the_others_go_on",
    ),
    Row(
        "a job with an older generation arrives late",
        "",
        "keep the newer one",
        "",
        "test_an_older_snapshot_never_replaces_a_newer_one",
    ),
    Row(
        "frozen by hand",
        f"`{FROZEN}` in the report",
        "stay as they are, over restarts; a new edge gets what is stored",
        "thawed: the newest content goes out within 2 s",
        "test_on_thaw_the_newest_content_goes_out_within_two_seconds",
    ),
    Row(
        "two engines for one cluster",
        "an error in the log of the one that waits",
        "follow the first; the second takes over 15 s after its last beat, within 3 s when its process is gone",
        "one of them ends",
        "test_a_second_engine_waits_and_says_so_once",
    ),
    Row(
        "engine or master killed, at any instant",
        "",
        "stay as they are; only those found behind are rung",
        "Salt starts it again",
        "test_in_the_end_an_edge_serves_the_truth_however_often_the_engine_was_killed_and_it_slept",
    ),
)
