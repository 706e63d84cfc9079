//! Clocks that are wrong.

use std::time::{SystemTime, UNIX_EPOCH};

use dbos_testkit::{Program, WallClock, behaviours};

behaviours! { wall_clock:
    a_process_is_shown_another_time on nothing using "faketime",
}

async fn a_process_is_shown_another_time() {
    let clock = WallClock::right();
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs().cast_signed();

    for off in [0, 3600, -3600] {
        clock.set_off_by(off);
        let program = Program::new("date").arg("+%s");
        let program = clock.environment().into_iter().fold(program, |program, (name, value)| program.env(name, value));
        let shown: i64 = program.start().wait_for_line("1").await.parse().unwrap();

        assert!((shown - now - off).abs() < 60, "{} and not {off} seconds ahead", shown - now);
    }
}
