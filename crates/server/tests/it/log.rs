//! The log, as people and as programs read it.

use serde_json::Value;

use crate::client::exchange;
use crate::server::Server;

fn ask(server: &Server) {
    exchange(server.address(), "GET", "/v1/nothing", &[("lintel-request-id", "trace-17")], b"").unwrap().error();
}

#[test]
fn every_line_of_a_json_log_is_an_object_and_a_requests_bears_its_id() {
    let mut server = Server::start_with(&["log=json"]);
    ask(&server);
    assert!(server.stop().success());
    let log = server.log();
    let lines: Vec<Value> =
        log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|_| panic!("{line}"))).collect();
    for line in &lines {
        for field in ["timestamp", "level", "target", "message"] {
            assert!(line[field].is_string(), "no {field} in {line}");
        }
    }
    let answered = lines.iter().find(|line| line["span"]["id"] == "trace-17").expect("a line of the request");
    assert_eq!((&answered["message"], &answered["status"]), (&"answered".into(), &404.into()), "{answered}");
    assert!(lines.iter().any(|line| line["message"].as_str().is_some_and(|text| text.starts_with("ready: "))));
}

#[test]
fn a_text_log_that_no_terminal_shows_has_no_colours() {
    let mut server = Server::start();
    ask(&server);
    assert!(server.stop().success());
    let log = server.log();
    assert!(log.contains("trace-17"), "{log}");
    assert!(!log.contains('\u{1b}'), "{log}");
}
