//! A webhook that hangs. Nothing here waits as long as this, so its name has it run first.

use std::thread;
use std::time::Instant;

use burgee_testkit::{Answer, eventually};

use super::webhook::{judge, setup};
use super::{bearer, name};

#[test]
fn a_service_that_hangs_keeps_nobody_else_waiting() {
    let setup = setup(&[]);
    setup.backend.respond(|_| Answer::Hang);
    thread::scope(|scope| {
        let begin = Instant::now();
        let waiting: Vec<_> = (0..20)
            .map(|number| {
                let token = format!("good-{}", number % 4);
                let server = &setup.server;
                scope.spawn(move || bearer(server, &token).get("/api").status)
            })
            .collect();
        eventually("the service to be asked", || {
            (setup.backend.received().len() >= 4).then_some(())
        });
        setup.others_are_served();
        assert_eq!(setup.server.client().get("/readyz").status, 200);
        // Who asks for the same at the same time is answered by the same question.
        assert_eq!(setup.backend.received().len(), 4);
        assert!(waiting.iter().all(|request| !request.is_finished()));
        let codes: Vec<_> = waiting
            .into_iter()
            .map(|request| request.join().unwrap())
            .collect();
        assert_eq!(codes, [401; 20]);
        let waited = begin.elapsed();
        assert!((28.0..40.0).contains(&waited.as_secs_f64()), "{waited:?}");
    });
    setup.backend.respond(judge);
    assert_eq!(name(&bearer(&setup.server, "good-0")), "0");
}
