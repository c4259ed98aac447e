//! Operators and approvals: who may sign, who may decide, and what a one-time code lets through.

use serde_json::{Value, json};

use crate::open::{Books, number, text, voucher};
use crate::server::Server;
use crate::staff::{Person, Staff, client_of};

fn register(login: &str, role: &str) -> Value {
    json!({"kind": "operator", "action": "register", "login": login, "roles": [role]})
}

fn change(action: &str, operator: &str) -> Value {
    json!({"kind": "operator", "action": action, "operator": operator})
}

#[test]
fn the_first_two_are_registered_by_programs_and_everyone_else_by_two_people() {
    let server = Server::start();
    let programs = server.operator();
    let accountant = json!({"login": "li.wei", "roles": ["accountant"]});
    assert_eq!(programs.post("/v1/operators", &accountant).error().1, "approval_required", "only administrators");
    let staff = Staff::hire(&server);
    let third = json!({"login": "admin.three", "roles": ["administrator"]});
    assert_eq!(programs.post("/v1/operators", &third).error().1, "approval_required", "two are there");
    assert_eq!(staff.first.client.post("/v1/operators", &third).error().1, "approval_required", "not by one of them");

    let shown = staff.first.client.get("/v1/operators/opr_3").ok();
    let field = |name: &str| text(&shown, &format!("/{name}"));
    assert_eq!([field("login"), field("status")], ["maker", "active"]);
    assert_eq!([field("changed_by"), field("approved_by")], ["admin.one", "admin.two"]);
    let position = staff.first.client.get("/v1/operators/opr_4").position();
    let listed = programs.get(&format!("/v1/operators?status=active&min_position={position}")).ok();
    let logins: Vec<_> = listed["data"].as_array().unwrap().iter().map(|it| text(it, "/login")).collect();
    assert_eq!(logins, ["admin.one", "admin.two", "maker", "checker"]);

    let taken = staff.first.propose(&register("maker", "risk"));
    assert_eq!(taken.error(), (409, "already_exists".into(), "login".into()));
    assert_eq!(staff.first.propose(&register("x y", "risk")).error(), (422, "value_invalid".into(), "login".into()));
    let role = staff.first.propose(&register("wang.fang", "boss"));
    assert_eq!(role.error(), (400, "field_malformed".into(), "proposal.roles".into()));
}

#[test]
fn a_maker_never_checks_and_a_role_is_needed_on_both_sides() {
    let server = Server::start();
    let staff = Staff::hire(&server);
    let proposed = staff.first.propose(&register("wang.fang", "risk")).ok();
    let id = text(&proposed, "/id");
    assert_eq!([text(&proposed, "/status"), text(&proposed, "/maker")], ["pending", "opr_1"]);
    assert_eq!(proposed["proposal"], register("wang.fang", "risk"));
    assert_eq!(staff.first.approve(&id).error(), (422, "same_person".into(), "approval".into()));
    assert_eq!(staff.checker.approve(&id).error().1, "role_missing", "an accountant checks no operators");
    assert_eq!(staff.maker.propose(&register("wang.fang", "risk")).error().1, "role_missing");
    let own = staff.first.propose(&change("suspend", "opr_2"));
    assert_eq!(own.error().1, "administrators_too_few");

    let programs = server.operator();
    assert_eq!(
        programs.post("/v1/approvals", &json!({"proposal": register("x", "risk"), "reason": "r"})).error().0,
        403
    );
    let approve = json!({"totp": "123456"});
    assert_eq!(programs.post(&format!("/v1/approvals/{id}/approve"), &approve).error().1, "not_permitted");
    assert_eq!(programs.get(&format!("/v1/approvals/{id}")).ok()["status"], "pending", "they may look");

    let other = staff.second.client.post(&format!("/v1/approvals/{id}/withdraw"), &json!({}));
    assert_eq!(other.error().1, "not_the_maker");
    let withdrawn = staff.first.client.post(&format!("/v1/approvals/{id}/withdraw"), &json!({})).ok();
    assert_eq!(text(&withdrawn, "/status"), "withdrawn");
    assert_eq!(staff.second.approve_by(&id, "000000").error().1, "approval_state", "what is decided takes no code");
}

#[test]
fn an_approval_is_answered_again_under_its_key_and_its_code_counts_once() {
    let server = Server::start();
    let staff = Staff::hire(&server);
    let [one, two] =
        ["wang.fang", "zhao.min"].map(|login| text(&staff.first.propose(&register(login, "risk")).ok(), "/id"));
    let (path, body) = (format!("/v1/approvals/{one}/approve"), json!({"totp": staff.second.code()}));
    let first = staff.second.client.post_keyed(&path, "approve-1", &body);
    assert_eq!(text(&first.ok(), "/status"), "approved");
    assert_eq!(text(&first.ok(), "/checker"), "opr_2");
    let again = staff.second.client.post_keyed(&path, "approve-1", &body);
    assert!(again.repeated() && again.ok() == first.ok(), "an answer that was lost is given again");

    let replayed = staff.second.approve_by(&two, &staff.second.code_again());
    assert_eq!(replayed.error(), (422, "totp_replayed".into(), "totp".into()));
    assert_eq!(staff.second.client.get(&format!("/v1/approvals/{two}")).ok()["status"], "pending");
    // One without a key says so before a code is tried.
    let unkeyed = staff.second.client.send("POST", &path, &[], body.to_string().as_bytes());
    assert_eq!(unkeyed.error().1, "idempotency_key_missing");
}

#[test]
fn a_wrong_code_is_no_code_and_five_lock() {
    let server = Server::start();
    let staff = Staff::hire(&server);
    let id = text(&staff.first.propose(&register("wang.fang", "risk")).ok(), "/id");
    for malformed in ["", "12345", "1234567", "12345a"] {
        assert_eq!(staff.checker.approve_by(&id, malformed).error(), (401, "totp_wrong".into(), "totp".into()));
    }
    assert_eq!(staff.checker.approve_by(&id, &staff.checker.wrong_code()).error().1, "totp_wrong");
    let locked = staff.checker.approve(&id);
    assert_eq!(locked.error(), (403, "totp_locked".into(), "totp".into()), "the right one too");
    let approved = staff.second.approve(&id).ok();
    assert_eq!(text(&approved, "/status"), "approved", "nobody else is locked");
    assert!(!server.log().contains(&staff.second.code_again()), "a code does not stand in the log");
}

#[test]
fn a_suspended_operators_key_is_refused_until_it_is_resumed() {
    let server = Server::start();
    let staff = Staff::hire(&server);
    let pending = text(&staff.maker.propose_shown(&template()).ok(), "/id");
    let suspend = text(&staff.second.propose(&change("suspend", "opr_3")).ok(), "/id");
    staff.first.approve(&suspend).ok();
    for answer in [
        staff.maker.client.get("/v1/approvals"),
        staff.maker.client.post(&format!("/v1/approvals/{pending}/withdraw"), &json!({})),
    ] {
        assert_eq!(answer.error(), (403, "operator_suspended".into(), "mch_id".into()));
    }
    let refused = staff.checker.approve(&pending);
    assert_eq!(refused.error(), (422, "operator_state".into(), "maker".into()), "nor is what it made approved");
    let resume = text(&staff.first.propose(&change("resume", "opr_3")).ok(), "/id");
    staff.second.approve(&resume).ok();
    staff.maker.client.get("/v1/approvals").ok();
    assert_eq!(text(&staff.checker.approve(&pending).ok(), "/status"), "approved");
    let stranger = client_of(&server, "opr_99").get("/v1/approvals");
    assert_eq!(stranger.error(), (404, "operator_unknown".into(), "operator".into()));
}

/// Money from nobody to persons, or into suspense.
fn template() -> Value {
    let line = |subject: u16, side: &str| json!({"subject": subject, "side": side});
    let lines = [line(1121, "debit"), line(2201, "credit"), line(2241, "credit")];
    json!({"kind": "voucher_template", "action": "set", "code": "found", "title": "Found", "event": "manual_voucher", "lines": lines})
}

#[test]
fn a_person_changes_nothing_by_itself_but_what_its_role_allows() {
    let server = Server::start();
    let books = Books::open(&server);
    let staff = Staff::hire(&server);
    let posted = staff.maker.client.post("/v1/vouchers", &voucher("p-1", &books.rich, &books.poor, 5));
    assert_eq!(posted.error(), (403, "not_permitted".into(), String::new()));
    let bulk = json!({"stream": "s", "number": 1, "vouchers": []});
    assert_eq!(staff.maker.client.post("/v1/postings", &bulk).error().0, 403);
    let account = json!({"subject": 2201, "currency": "CNY", "owner": "usr_1"});
    assert_eq!(staff.first.client.post("/v1/accounts", &account).error().0, 403);
    assert_eq!(staff.maker.client.post("/v1/merchants/mch_1/key", &json!({})).error().0, 403, "nor sees secrets");
    assert_eq!(number(&staff.maker.client.get(&format!("/v1/accounts/{}", books.rich)).ok(), "/balance"), 100_000);

    assert_eq!(staff.first.client.post("/v1/days/cut", &json!({})).error().0, 403, "an administrator cuts no day");
    let cut = staff.maker.client.post("/v1/days/cut", &json!({})).ok();
    assert_eq!(text(&cut, "/date"), "2026-03-06");
    let closed = staff.maker.client.post("/v1/days/2026-03-05/close", &json!({})).ok();
    assert_eq!(text(&closed, "/status"), "closed");
    books.post("p-2", &books.rich, &books.poor, 5).ok();
}

#[test]
fn a_secret_is_shown_once_to_its_owner_and_lies_sealed() {
    let server = Server::start();
    let staff = Staff::hire(&server);
    let path = "/v1/operators/opr_3/totp";
    assert_eq!(staff.maker.client.post(path, &json!({})).error(), (409, "totp_enrolled".into(), "id".into()));
    assert_eq!(staff.first.client.post(path, &json!({})).error().0, 403);
    assert_eq!(server.operator().post(path, &json!({})).error().0, 403);

    let renew = text(&staff.second.propose(&change("renew_totp", "opr_3")).ok(), "/id");
    staff.first.approve(&renew).ok();
    let id = text(&staff.checker.propose_shown(&template()).ok(), "/id");
    let before = staff.maker.approve(&id);
    assert_eq!(before.error(), (409, "totp_not_enrolled".into(), "totp".into()), "the old secret is gone at once");
    let uri = text(&staff.maker.client.post(path, &json!({})).ok(), "/uri");
    assert!(uri.starts_with("otpauth://totp/Lintel:maker?secret="), "{uri}");
    assert_eq!(staff.maker.approve_by(&id, &staff.maker.wrong_code()).error().1, "totp_wrong");
    let code = ark::TotpSecret::from_uri(&uri).unwrap().code(crate::client::now() / ark::totp::STEP_SECONDS);
    assert_eq!(text(&staff.maker.approve_by(&id, &code).ok(), "/status"), "approved");

    let secret = uri.split_once("secret=").unwrap().1.split('&').next().unwrap();
    assert!(!server.log().contains(secret));
    for entry in walk(server.directory()) {
        let bytes = std::fs::read(&entry).unwrap();
        let found = bytes.windows(secret.len()).any(|window| window == secret.as_bytes());
        assert!(!found, "it stands in {}", entry.display());
    }
}

/// Every file below a directory.
fn walk(directory: &std::path::Path) -> Vec<std::path::PathBuf> {
    let entries = std::fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { walk(&path) } else { vec![path] }).collect()
}

#[test]
fn what_nobody_decides_in_seven_days_lapses_and_what_is_rejected_stays_so() {
    let mut server = Server::start();
    let staff = Staff::hire(&server);
    let [late, no] =
        ["wang.fang", "zhao.min"].map(|login| text(&staff.first.propose(&register(login, "risk")).ok(), "/id"));
    let reject = |person: &Person, remark: &str| {
        person.client.post(&format!("/v1/approvals/{no}/reject"), &json!({"remark": remark}))
    };
    assert_eq!(reject(&staff.second, " ").error(), (422, "value_invalid".into(), "remark".into()));
    assert_eq!(reject(&staff.first, "changed my mind").error().1, "same_person");
    assert_eq!(text(&reject(&staff.second, "nobody knows her").ok(), "/remark"), "nobody knows her");
    assert_eq!(staff.second.approve(&no).error().1, "approval_state");

    server.operator().post("/v1/sandbox/clock", &json!({"now": "2026-03-12T08:59:59+08:00"})).ok();
    assert_eq!(staff.first.client.get(&format!("/v1/approvals/{late}")).ok()["status"], "pending");
    server.kill();
    server.start_again();
    let programs = server.operator();
    assert_eq!(programs.get(&format!("/v1/approvals/{late}")).ok()["status"], "pending", "it waits through a crash");
    programs.post("/v1/sandbox/clock", &json!({"now": "2026-03-12T09:00:00+08:00"})).ok();
    let second = client_of(&server, "opr_2");
    let approve = second.post(&format!("/v1/approvals/{late}/approve"), &json!({"totp": "000000"}));
    assert_eq!(approve.error(), (422, "approval_state".into(), "approval".into()));
    let position = programs.get(&format!("/v1/approvals/{late}")).position();
    for (filter, id) in
        [("status=expired", &late), ("status=rejected", &no), ("status=expired&kind=operator&maker=opr_1", &late)]
    {
        let listed = second.get(&format!("/v1/approvals?{filter}&min_position={position}")).ok();
        let ids: Vec<_> = listed["data"].as_array().unwrap().iter().map(|it| text(it, "/id")).collect();
        assert_eq!(ids, [id.as_str()], "{filter}");
    }
    assert_eq!(second.get("/v1/approvals?kind=gift").error(), (400, "field_malformed".into(), "kind".into()));
}

#[test]
fn of_two_who_approve_at_once_one_does() {
    let server = Server::start();
    let staff = Staff::hire(&server);
    let third = text(&staff.first.propose(&register("admin.three", "administrator")).ok(), "/id");
    let id = text(&staff.second.approve(&third).ok(), "/outcome");
    let third = Person::enrol(&server, &id);
    let proposed = text(&staff.second.propose(&register("wang.fang", "risk")).ok(), "/id");
    let path = format!("/v1/approvals/{proposed}/approve");
    let asked = [(&staff.first.client, staff.first.code()), (&third.client, third.code())];
    let answers: Vec<_> = std::thread::scope(|scope| {
        let ask = |(client, code)| {
            let path = path.as_str();
            scope.spawn(move || crate::client::Client::post(client, path, &json!({"totp": code})))
        };
        let threads: Vec<_> = asked.into_iter().map(ask).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let (went, refused): (Vec<_>, Vec<_>) = answers.iter().partition(|answer| answer.status == 200);
    assert_eq!((went.len(), refused.len()), (1, 1), "{answers:?}");
    assert_eq!(refused[0].error().1, "approval_state");
    let listed =
        server.operator().get(&format!("/v1/operators?login=wang.fang&min_position={}", went[0].position())).ok();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
}

#[test]
fn merchants_see_none_of_it() {
    let server = Server::start();
    let staff = Staff::hire(&server);
    let programs = server.operator();
    let merchant = text(&crate::open::merchant(&programs, "landlord", "张三", "11010519491231002X"), "/id");
    let client = client_of(&server, &merchant);
    let id = text(&staff.first.propose(&register("wang.fang", "risk")).ok(), "/id");
    for target in [
        "/v1/approvals",
        &format!("/v1/approvals/{id}"),
        "/v1/operators",
        "/v1/operators/opr_1",
        "/v1/suspense",
        "/v1/suspense/ageing",
        "/v1/suspense/sus_1",
        "/v1/voucher-templates",
        "/v1/voucher-templates/tpl_1",
    ] {
        assert_eq!(client.get(target).error().0, 403, "{target}");
    }
    let body = json!({"proposal": register("x", "risk"), "reason": "r"});
    assert_eq!(client.post("/v1/approvals", &body).error().0, 403);
    assert_eq!(client.post(&format!("/v1/approvals/{id}/reject"), &json!({"remark": "no"})).error().0, 403);
    assert_eq!(client.post(&format!("/v1/approvals/{id}/withdraw"), &json!({})).error().0, 403);
    assert_eq!(client.post("/v1/operators", &json!({"login": "xyz", "roles": ["risk"]})).error().0, 403);
    assert_eq!(client.post("/v1/operators/opr_1/totp", &json!({})).error().0, 403);
}
