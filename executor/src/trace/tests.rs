//! Events made by hand, and what becomes of them.

use std::panic::Location;
use std::time::{Duration, Instant};

use wakeline_context::{Kind, Reason, WaitingOn};

use super::*;

const S: fn(u64) -> Duration = Duration::from_secs;

/// A recorder that was told of `events`: seconds, task, what.
fn told(capacity: usize, events: impl IntoIterator<Item = (u64, u64, What)>) -> Recorder {
    let recorder = Recorder::new(capacity);
    let start = Instant::now();
    for (at, task, what) in events {
        recorder.record(start + S(at), task, what);
    }
    recorder
}

fn created(name: &str) -> What {
    What::Created {
        name: Some(name.into()),
        spawned_at: Location::caller(),
        by: None,
        is_root: false,
    }
}

fn waits() -> What {
    let waiting_on = WaitingOn {
        kind: Kind::Timer,
        id: 0,
        location: Location::caller(),
    };
    What::PollEnd {
        pending: true,
        waiting_on: Some(waiting_on),
    }
}

const POLL: What = What::PollStart { worker: Some(0) };

fn woken(by: WokenBy) -> What {
    What::Woken { by }
}

fn ended(how: End) -> What {
    What::Ended { how }
}

/// One that is queued, polled, waits, is woken and cancelled: a second each.
fn one(name: &str) -> Recorder {
    told(
        100,
        [
            (0, 7, created(name)),
            (1, 7, POLL),
            (2, 7, waits()),
            (3, 7, woken(WokenBy::Task(3))),
            (4, 7, ended(End::Cancelled(Reason::new("a <b> & \"c\"\n")))),
        ],
    )
}

#[test]
fn a_life_is_one_span_after_the_other() {
    let timeline = one("a").timeline();
    let task = timeline.task("a").unwrap();
    let spans: Vec<_> = task.spans.iter().map(|it| (it.from, it.to)).collect();
    assert_eq!(
        spans,
        [(S(0), S(1)), (S(1), S(2)), (S(2), S(3)), (S(3), S(4))]
    );
    assert_eq!((task.polls(), task.lived()), (1, S(4)));
    assert_eq!(task.wakes().collect::<Vec<_>>(), [WokenBy::Task(3)]);
    assert_eq!(timeline.length(), S(4));
}

#[test]
fn a_wake_in_a_poll_counts_at_its_end() {
    let events = [
        (0, 1, POLL),
        (1, 1, woken(WokenBy::Outside)),
        (2, 1, waits()),
        (3, 1, woken(WokenBy::Driver)), // it is queued already
        (4, 1, POLL),
    ];
    let timeline = told(10, events).timeline();
    let task = &timeline.tasks[0];
    assert_eq!(task.wakes().collect::<Vec<_>>(), [WokenBy::Outside]);
    let queued = task.spans[2];
    assert_eq!((queued.from, queued.to), (S(2), S(4)));
}

#[test]
fn events_that_changed_places_are_put_in_the_order_of_time() {
    let events = [(0, 1, created("a")), (2, 2, created("c")), (1, 3, POLL)];
    let timeline = told(10, events).timeline();
    let ids: Vec<u64> = timeline.tasks.iter().map(|task| task.id).collect();
    assert_eq!(ids, [1, 3, 2]);
    assert_eq!(timeline.tasks[1].created, None);
}

#[test]
fn the_oldest_give_way_and_times_still_count_from_the_first() {
    let recorder = told(2, (0..5).map(|at| (at, at, POLL)));
    assert_eq!(recorder.dropped(), 3);
    let timeline = recorder.timeline();
    assert_eq!((timeline.start, timeline.end), (S(3), S(4)));
    assert_eq!((timeline.length(), timeline.dropped), (S(1), 3));
    // What was created before is drawn from what is known on, and not before.
    assert_eq!(timeline.bar(&timeline.tasks[1], 5), "    #");

    let nothing = told(0, [(0, 1, POLL), (1, 1, POLL)]);
    assert_eq!((nothing.events().len(), nothing.dropped()), (0, 2));
}

#[test]
fn a_bar_has_a_sign_for_each_thing() {
    let timeline = one("a").timeline();
    assert_eq!(timeline.bar(&timeline.tasks[0], 9), "==###-==x");
    assert_eq!(timeline.bar(&timeline.tasks[0], 1), "x");
    assert_eq!(timeline.bar(&timeline.tasks[0], 0), "");
    assert_eq!(
        timeline.to_text(9),
        "1 task in 4s\na #7 ==###-==x 4s, cancelled: a <b> & \"c\"\\n, woken by #3\n"
    );
}

#[test]
fn a_name_in_text_cannot_break_the_line() {
    let text = one("a\nb\x1b[31m").timeline().to_text(5);
    assert_eq!(text.lines().count(), 2);
    assert!(!text.contains('\x1b'));
}

#[test]
fn a_name_in_text_may_be_longer_than_what_can_be_aligned() {
    let name = "n".repeat(70_000);
    let text = one(&name).timeline().to_text(1);
    assert!(text.contains(&name));
}

#[test]
fn json_tells_all_and_escapes_what_it_quotes() {
    let timeline = one("a\"\\\n\u{7f}</script>").timeline();
    let json = timeline.to_json();
    let at = timeline.tasks[0].waits().next().unwrap().location;
    let line = timeline.tasks[0].spawned_at.unwrap();
    let expected = format!(
        "{}{line}{}{at}{}",
        concat!(
            r#"{"schema":"wakeline-timeline-1","start_ns":0,"end_ns":4000000000,"dropped":0,"tasks":["#,
            r#"{"id":7,"name":"a\"\\\u000a\u007f\u003c/script>","root":false,"spawned_at":""#
        ),
        concat!(
            r#"","spawned_by":null,"created_ns":0,"spans":["#,
            r#"{"from_ns":0,"to_ns":1000000000,"state":"queued","woken_by":null},"#,
            r#"{"from_ns":1000000000,"to_ns":2000000000,"state":"running","worker":0},"#,
            r#"{"from_ns":2000000000,"to_ns":3000000000,"state":"waiting","kind":"timer","on":0,"at":""#
        ),
        concat!(
            r#""},{"from_ns":3000000000,"to_ns":4000000000,"state":"queued","woken_by":3}],"#,
            r#""ended":{"at_ns":4000000000,"how":"cancelled","reason":"a \u003cb> & \"c\"\u000a"}}]}"#
        )
    );
    assert_eq!(json, expected);
}

#[test]
fn a_name_in_html_is_no_markup() {
    let html = one("<script>alert('1')</script>&\"").timeline().to_html();
    assert!(!html.contains("<script"), "{html}");
    assert!(html.contains("&lt;script&gt;alert(&#39;1&#39;)"), "{html}");
    assert!(html.contains("a &lt;b&gt; &amp; &quot;c&quot;\u{fffd}"));
    assert!(html.contains("<title>queued: woken by #3 (1s)</title>"));
    for tag in ["svg", "g", "table", "tbody", "main", "body", "html"] {
        let opened = html.matches(&format!("<{tag}")).count();
        let closed = html.matches(&format!("</{tag}>")).count();
        assert!(opened >= closed && closed == 1, "{tag}: {opened} {closed}");
    }
}

#[test]
fn an_empty_record_can_be_drawn() {
    let timeline = Recorder::new(1).timeline();
    assert_eq!(timeline.to_text(40), "0 tasks in 0ns\n");
    assert!(timeline.to_html().ends_with("</html>\n"));
}
