//! What two people post by hand: manual vouchers, adjustments of a cut day, suspense, waivers of failed checks.

use serde_json::{Value, json};

use crate::features::close;
use crate::keys::becomes;
use crate::open::{Books, balance, closing, entry, number, own, text, trial_balance, voucher};
use crate::server::Server;
use crate::staff::Staff;

const TODAY: &str = "2026-03-05";

struct Case {
    server: Server,
    books: Books,
    staff: Staff,
}

impl Case {
    /// Books, people, and a template `found`: Dr 1121 or 2201 / Cr 2201 or 2241.
    fn new() -> Self {
        let server = Server::start();
        let (books, staff) = (Books::open(&server), Staff::hire(&server));
        let case = Self { server, books, staff };
        let line = |subject: u16, side: &str| json!({"subject": subject, "side": side});
        let lines = [line(1121, "debit"), line(2201, "debit"), line(2201, "credit"), line(2241, "credit")];
        case.decided(&json!({
            "kind": "voucher_template", "action": "set", "code": "found", "title": "Money found",
            "event": "manual_voucher", "lines": lines,
        }));
        case
    }

    #[track_caller]
    fn decided(&self, proposal: &Value) -> String {
        self.staff.decided(proposal)
    }

    fn manual(&self, debit: &str, credit: &str, amount: i64) -> Value {
        let entries = [entry(debit, "debit", amount), entry(credit, "credit", amount)];
        json!({"kind": "manual_voucher", "template": "found", "entries": entries})
    }

    fn adjustment(&self, date: &str, debit: &str, credit: &str, amount: i64) -> Value {
        let mut proposal = self.manual(debit, credit, amount);
        (proposal["kind"], proposal["date"]) = ("adjustment".into(), date.into());
        proposal
    }
}

fn waive(position: i64, check: &str) -> Value {
    json!({"kind": "check_waiver", "date": TODAY, "position": position, "checks": [check]})
}

#[test]
fn a_manual_voucher_takes_a_template_evidence_and_two_people() {
    let mut case = Case::new();
    let Case { books, staff, .. } = &case;
    let proposal = case.manual(&books.rich, &books.poor, 500);
    let bare = staff.maker.propose(&proposal);
    assert_eq!(bare.error(), (422, "evidence_required".into(), "evidence".into()));
    let evidence = json!({"name": "s.pdf", "algorithm": "SM3", "digest": "66"});
    let short = json!({"proposal": proposal, "reason": "r", "evidence": evidence});
    assert_eq!(staff.maker.client.post("/v1/approvals", &short).error().2, "evidence.digest");
    let reserve = own(&books.operator, 1101);
    let straight = staff.maker.propose_shown(&case.manual(&reserve, &books.poor, 500));
    assert_eq!(straight.error().1, "template_mismatch", "no template has 1101");
    let line = |subject: u16| json!({"subject": subject, "side": "debit"});
    let with_reserve = json!({"kind": "voucher_template", "action": "set", "code": "bank", "title": "Bank",
        "event": "manual_voucher", "lines": [line(1101), line(2201)]});
    assert_eq!(staff.maker.propose_shown(&with_reserve).error().1, "subject_not_allowed", "and none can");
    let mut wrong = proposal.clone();
    wrong["entries"][1]["amount"] = json!("5");
    assert_eq!(staff.maker.propose_shown(&wrong).error().1, "amount_not_whole");

    let id = text(&staff.maker.propose_shown(&proposal).ok(), "/id");
    assert_eq!(balance(&books.operator, &books.poor), 0, "proposing moves nothing");
    let approved = staff.checker.approve(&id).ok();
    assert!(text(&approved, "/outcome").starts_with("vch_"), "{approved}");
    assert_eq!(text(&approved, "/evidence/digest"), "66".repeat(32));
    assert_eq!((balance(&books.operator, &books.rich), balance(&books.operator, &books.poor)), (99_500, 500));
    let statement = format!("/v1/accounts/{}/statement?from={TODAY}&to={TODAY}", books.poor);
    let line = books.operator.get(&statement).ok()["data"][0].clone();
    assert_eq!(text(&line, "/event"), "manual_voucher");
    assert_eq!(text(&line, "/business"), id, "the entry names the approval, which keeps the rest");

    case.server.stop();
    let journal = String::from_utf8(case.server.lintel(&["journal", "cat", "--json"]).stdout).unwrap();
    let rows: Vec<Value> = journal.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let commands = rows.iter().flat_map(|row| row["commands"].as_array().unwrap());
    let for_it: Vec<&Value> = commands.filter(|command| command["approval"] == id.as_str()).collect();
    assert_eq!(for_it.len(), 1, "the journal names the approval with what was done for it");
    assert_eq!(for_it[0]["actor"], "Operator(\"checker\")");
    assert_eq!(for_it[0]["events"].as_array().unwrap().len(), 2, "the voucher and the decision");
}

#[test]
fn a_proposal_is_judged_by_how_things_stand_when_it_is_approved() {
    let case = Case::new();
    let Case { books, staff, .. } = &case;
    let both: Vec<String> = (0..2)
        .map(|_| text(&staff.checker.propose_shown(&case.manual(&books.rich, &books.poor, 60_000)).ok(), "/id"))
        .collect();
    staff.maker.approve(&both[0]).ok();
    let second = staff.maker.approve(&both[1]);
    assert_eq!(second.error(), (422, "insufficient_funds".into(), "amount".into()));
    assert_eq!(staff.maker.client.get(&format!("/v1/approvals/{}", both[1])).ok()["status"], "pending");
    assert_eq!((balance(&books.operator, &books.rich), balance(&books.operator, &books.poor)), (40_000, 60_000));
    books.post("back", &books.poor, &books.rich, 60_000).ok();
    // The code of the approval that was refused was not used up.
    let again = staff.maker.approve_by(&both[1], &staff.maker.code_again()).ok();
    assert_eq!(text(&again, "/status"), "approved");
}

#[test]
fn a_template_that_was_retired_makes_no_more_vouchers() {
    let case = Case::new();
    let Case { books, staff, .. } = &case;
    let pending = text(&staff.maker.propose_shown(&case.manual(&books.rich, &books.poor, 5)).ok(), "/id");
    let retire = json!({"kind": "voucher_template", "action": "retire", "template": "tpl_1"});
    let retired = text(&staff.checker.propose(&retire).ok(), "/id");
    staff.maker.approve(&retired).ok();
    let template = books.operator.get("/v1/voucher-templates/tpl_1");
    assert_eq!(text(&template.ok(), "/status"), "retired");
    assert_eq!([text(&template.ok(), "/changed_by"), text(&template.ok(), "/approved_by")], ["checker", "maker"]);
    let listed = format!("/v1/voucher-templates?code=found&status=retired&min_position={}", template.position());
    assert_eq!(text(&books.operator.get(&listed).ok(), "/data/0/code"), "found");
    assert_eq!(staff.checker.approve(&pending).error().1, "template_unknown");
}

#[test]
fn an_adjustment_fits_the_cut_day_and_takes_its_seal_off() {
    let case = Case::new();
    let Case { books, staff, .. } = &case;
    let early = staff.maker.propose_shown(&case.adjustment(TODAY, &books.rich, &books.poor, 700));
    assert_eq!(early.error(), (422, "day_state".into(), "date".into()), "the open day needs none");
    // A fee that the institution's own books do not mirror keeps the day from closing.
    books.post("unmirrored", &books.rich, &own(&books.operator, 2291), 7).ok();
    books.operator.post("/v1/days/cut", &json!({})).ok();
    books.post("next day", &books.rich, &books.poor, 10).ok();
    let failed = number(&close(&books.operator, TODAY), "/failed_at");
    assert!(case.decided(&case.adjustment(TODAY, &books.rich, &books.poor, 700)).starts_with("vch_"));
    let day = books.operator.get(&format!("/v1/days/{TODAY}")).ok();
    assert!(day["sealed"].is_null() && day["failed_at"].is_null(), "{day}");
    let too_much = staff.maker.propose_shown(&case.adjustment(TODAY, &books.poor, &books.rich, 701));
    assert_eq!(too_much.error().1, "insufficient_funds", "700 stood there at the end of the day, whatever came later");
    let statement = format!("/v1/accounts/{}/statement?from={TODAY}&to={TODAY}", books.poor);
    let lines = books.operator.get(&statement).ok();
    assert_eq!((number(&lines, "/closing"), number(&lines, "/count")), (700, 1));

    let again = number(&close(&books.operator, TODAY), "/failed_at");
    assert!(again > failed, "sealed anew behind the adjustment");
    assert_eq!(staff.checker.propose(&waive(failed, "2291_equals_1291")).error().1, "day_state", "not of that run");
    let waiver = text(&staff.checker.propose(&waive(again, "2291_equals_1291")).ok(), "/id");
    staff.maker.approve(&waiver).ok();
    assert_eq!(text(&close(&books.operator, TODAY), "/status"), "closed");
    let lines = books.operator.get(&statement).ok();
    assert_eq!((number(&lines, "/closing"), number(&lines, "/count")), (700, 1), "the files say the same");
    assert_eq!(balance(&books.operator, &books.poor), 710);
    let late = staff.maker.propose_shown(&case.adjustment(TODAY, &books.rich, &books.poor, 5));
    assert_eq!(late.error().1, "day_state");
}

#[test]
fn suspense_lies_as_items_and_two_people_allocate_them() {
    let case = Case::new();
    let Case { books, staff, server, .. } = &case;
    let suspense = own(&books.operator, 2241);
    let by_hand = books.operator.post("/v1/vouchers", &voucher("s-1", &books.clearing, &suspense, 5));
    assert_eq!(by_hand.error(), (422, "subject_not_allowed".into(), "account".into()));
    case.decided(&case.manual(&books.clearing, &suspense, 800));
    let item = books.operator.get("/v1/suspense/sus_1").ok();
    assert_eq!((number(&item, "/amount"), number(&item, "/rest"), text(&item, "/age")), (800, 800, "0-1".into()));
    assert_eq!([text(&item, "/source"), text(&item, "/status")], ["apr_4", "open"]);

    let allocate = |to: &str, amount: Option<i64>| json!({"kind": "suspense_allocation", "item": "sus_1", "to": to, "amount": amount});
    let too_much = staff.maker.propose(&allocate(&books.poor, Some(801)));
    assert_eq!(too_much.error(), (422, "suspense_exceeded".into(), "amount".into()));
    let to_own = staff.maker.propose(&allocate(&books.clearing, None));
    assert_eq!(to_own.error(), (422, "subject_not_allowed".into(), "to".into()));
    let part = text(&staff.checker.propose(&allocate(&books.poor, Some(300))).ok(), "/id");
    assert_eq!(text(&staff.maker.approve(&part).ok(), "/outcome"), "sus_1");
    assert_eq!((balance(&books.operator, &books.poor), balance(&books.operator, &suspense)), (300, 500));
    let item = books.operator.get("/v1/suspense/sus_1").ok();
    assert_eq!((number(&item, "/rest"), number(&item, "/allocations/0/amount")), (500, 300));
    assert_eq!(text(&item, "/allocations/0/operator") + &text(&item, "/allocations/0/approver"), "checkermaker");

    // What is to be given back to its payer waits for a person.
    let due = text(&staff.checker.propose(&allocate(&own(&books.operator, 2243), Some(100))).ok(), "/id");
    assert_eq!(text(&staff.maker.approve(&due).ok(), "/outcome"), "sus_1");
    let position = books.operator.get("/v1/suspense/sus_1").position();
    let tasks = books.operator.get(&format!("/v1/tasks/suspense?currency=CNY&min_position={position}")).ok();
    assert_eq!((text(&tasks, "/data/0/id"), number(&tasks, "/data/0/amount")), ("sus_1".into(), 100));
    assert_eq!((number(&tasks, "/data/0/lies_on"), &tasks["data"][0]["order"]), (2243, &Value::Null));
    assert_eq!(tasks["data"][0]["allowed_actions"], json!(["settle"]));
    assert_eq!(books.operator.get("/v1/tasks/sus_1").ok()["needs_person"], true);

    server.operator().post("/v1/sandbox/clock", &json!({"now": "2026-03-13T09:00:00+08:00"})).ok();
    // 8 days less what the day had gone on by.
    becomes(&books.operator, "lintel_task_oldest_seconds{kind=\"suspense\"}", |seconds| seconds > 600_000.0);
    let ages = books.operator.get("/v1/suspense/ageing").ok();
    assert_eq!(ages["data"], json!([{"currency": "CNY", "age": "8-30", "count": 1, "rest": 400}]));
    let position = books.operator.get("/v1/suspense/sus_1").position();
    let open = books.operator.get(&format!("/v1/suspense?status=open&currency=CNY&min_position={position}")).ok();
    assert_eq!(text(&open, "/data/0/id"), "sus_1");
    assert_eq!(books.operator.get("/v1/suspense/sus_9").error(), (404, "suspense_unknown".into(), "item".into()));
}

#[test]
fn a_failed_check_is_waived_by_two_people_and_the_day_closes() {
    let case = Case::new();
    let Case { books, staff, .. } = &case;
    // A fee that the institution's own books do not mirror.
    let due = own(&books.operator, 2291);
    books.post("unmirrored", &books.rich, &due, 7).ok();
    books.operator.post("/v1/days/cut", &json!({})).ok();
    let failed = close(&books.operator, TODAY);
    assert_eq!(text(&failed, "/status"), "cutting");
    let position = number(&failed, "/failed_at");
    let broken = |day: &Value| -> Vec<String> {
        let checks = day["checks"].as_array().unwrap();
        checks.iter().filter(|check| check["holds"] == false).map(|check| text(check, "/name")).collect()
    };
    assert_eq!(broken(&failed), ["2291_equals_1291"]);
    let waive = |position: i64, check: &str| json!({"kind": "check_waiver", "date": TODAY, "position": position, "checks": [check]});
    assert_eq!(staff.maker.propose(&waive(position, "cover")).error().1, "waiver_mismatch", "it did not fail");
    assert_eq!(staff.maker.propose(&waive(position - 1, "2291_equals_1291")).error().1, "day_state", "not that run");
    let waiver = text(&staff.maker.propose(&waive(position, "2291_equals_1291")).ok(), "/id");
    assert_eq!(text(&staff.checker.approve(&waiver).ok(), "/outcome"), TODAY);
    let closed = close(&staff.maker.client, TODAY);
    assert_eq!(text(&closed, "/status"), "closed", "{closed}");
    assert_eq!(broken(&closed), ["2291_equals_1291"], "it is kept as it failed");
    let check = closed["checks"].as_array().unwrap().iter().find(|check| check["holds"] == false).unwrap();
    assert_eq!(text(check, "/waived"), waiver);
    assert_eq!(closing(&trial_balance(&books.operator, TODAY), 2291), 7);
}
