//! Plans of splits over the API and the command line: two treasurers set versions, and a split goes by the one of its day, or before
//! the first by the plan of the settings.

use serde_json::{Value, json};

use crate::command_line::{json_of, printed, refused};
use crate::open::{merchant, text};
use crate::orders::Market;
use crate::outflow::treasurers;
use crate::server::Server;
use crate::staff::Staff;

/// Half for each.
const SETTINGS: &str = "[[split_plans]]\nname = \"agent_network\"\nremainder_to = \"closing\"\n\
                        roles = [{ name = \"listing\", rate = 500_000 }, { name = \"closing\", rate = 500_000 }]\n";

/// A platform whose settings have that plan.
pub(crate) fn platform() -> Server {
    let directory = tempfile::TempDir::new().unwrap();
    let path = directory.path().join("lintel.toml");
    std::fs::write(&path, SETTINGS).unwrap();
    Server::start_in(directory, &[], vec![("LINTEL_CONFIG".to_owned(), path.into_os_string())])
}

/// A version of it, as a treasurer proposes it.
pub(crate) fn plan(from: &str, listing: i64) -> Value {
    json!({
        "kind": "split_plan", "name": "agent_network", "from": from, "remainder_to": "closing",
        "roles": [{"name": "listing", "rate": listing}, {"name": "closing", "rate": 1_000_000 - listing}],
        "return_order": ["closing", "listing"],
    })
}

/// An order that was paid, and who had which role in it.
struct Deal {
    order: String,
    listing: String,
    closing: String,
}

impl Deal {
    fn body(&self, number: &str, plan: &str) -> Value {
        let roles = json!({"listing": self.listing, "closing": self.closing});
        json!({"out_split_no": number, "plan": {"name": plan, "amount": 90_000, "roles": roles}})
    }

    fn split(&self, market: &Market, number: &str) -> Value {
        let path = format!("/v1/orders/{}/splits", self.order);
        market.operator.post(&path, &self.body(number, "agent_network")).ok()
    }

    /// What a split gave to each, and by which version.
    #[track_caller]
    fn gave(&self, split: &Value, listing: i64, closing: i64, version: &Value) {
        let parts = json!([
            {"merchant": self.listing, "amount": listing}, {"merchant": self.closing, "amount": closing},
        ]);
        assert_eq!((&split["parts"], &split["plan"]), (&parts, version));
    }
}

#[test]
fn a_split_goes_by_the_version_of_its_day_that_two_treasurers_set() {
    let mut server = platform();
    let staff = treasurers(&server);
    let mut market = Market::open(&server);
    let closing = merchant(&market.operator, "agent", "李四", "110101199003070215");
    let (listing, closing) = (text(market.agent(), "/id"), text(&closing, "/id"));
    market.receives(&listing);
    market.receives(&closing);
    let deal = Deal { order: text(&market.paid(), "/id"), listing, closing };
    wrong(&staff, &market, &deal);

    let first = deal.split(&market, "S1");
    deal.gave(&first, 45_000, 45_000, &Value::Null);
    assert_eq!(staff.decided(&plan("2026-03-05", 300_000)), "spp_1");
    assert_eq!(staff.maker.propose(&plan("2026-03-05", 1)).error().1, "already_exists");
    let second = deal.split(&market, "S2");
    deal.gave(&second, 27_000, 63_000, &json!("spp_1"));
    assert_eq!(second["return_order"], json!([deal.closing, deal.listing]));
    assert_eq!(deal.split(&market, "S1"), first, "the same number again is the same split");

    let approval = by_command_line(&server);
    assert_eq!(text(&staff.checker.approve(&approval).ok(), "/outcome"), "spp_2");
    deal.gave(&deal.split(&market, "S3"), 27_000, 63_000, &json!("spp_1"));
    in_force(&market, [false, true, false]);
    market.next_day();
    deal.gave(&deal.split(&market, "S4"), 18_000, 72_000, &json!("spp_2"));

    server.kill();
    server.start_again();
    market.operator = server.operator();
    in_force(&market, [false, false, true]);
    deal.gave(&deal.split(&market, "S5"), 18_000, 72_000, &json!("spp_2"));
    let second_now = market.operator.get(&format!("/v1/splits/{}", text(&second, "/id"))).ok();
    assert_eq!(
        (&second_now["parts"], &second_now["plan"]),
        (&second["parts"], &json!("spp_1")),
        "a split keeps its own"
    );
}

/// What no treasurer can propose, and no program split by.
fn wrong(staff: &Staff, market: &Market, deal: &Deal) {
    let with = |name: &str, value: Value| {
        let mut plan = plan("2026-03-05", 300_000);
        plan[name] = value;
        staff.maker.propose(&plan).error()
    };
    let role = |rate: Value| json!([{"name": "closing", "rate": rate}]);
    assert_eq!(with("from", json!("2026-03-04")), (422, "value_invalid".into(), "from".into()));
    assert_eq!(with("roles", role(json!(999_999))), (422, "value_invalid".into(), "roles".into()));
    assert_eq!(with("remainder_to", json!("cook")), (422, "value_invalid".into(), "remainder_to".into()));
    assert_eq!(with("return_order", json!(["cook"])), (422, "value_invalid".into(), "return_order".into()));
    assert_eq!(with("roles", role(json!("all"))).1, "field_malformed");
    assert_eq!(staff.first.propose(&plan("2026-03-05", 300_000)).error().1, "role_missing", "an administrator");

    let path = format!("/v1/orders/{}/splits", deal.order);
    let unknown = market.operator.post(&path, &deal.body("W1", "other_network"));
    assert_eq!(unknown.error(), (404, "split_plan_unknown".into(), "plan.name".into()));
    let mut cook = deal.body("W2", "agent_network");
    cook["plan"]["roles"]["cook"] = json!(deal.listing);
    assert_eq!(market.operator.post(&path, &cook).error(), (422, "split_plan_role".into(), "plan.roles".into()));
}

/// Which hold today: the settings' plan, the first version, the second.
#[track_caller]
fn in_force(market: &Market, expected: [bool; 3]) {
    let plans = market.operator.get("/v1/split-plans").ok();
    let row = |plan: &Value| (plan["id"].clone(), plan["from"].clone(), plan["in_force"].clone());
    let rows: Vec<_> = plans["data"].as_array().unwrap().iter().map(row).collect();
    let [settings, first, second] = expected.map(Value::from);
    let versions = [(json!("spp_1"), json!("2026-03-05"), first), (json!("spp_2"), json!("2026-03-06"), second)];
    assert_eq!(rows[0], (Value::Null, Value::Null, settings));
    assert_eq!(rows[1..], versions);
    assert_ne!(plans["data"][1]["operator"], plans["data"][1]["approver"]);
}

/// Tomorrow's version, proposed by hand: its approval.
fn by_command_line(server: &Server) -> String {
    let listed = printed(&server.lintel(&["split-plan", "list"]));
    assert!(listed.contains("spp_1") && listed.contains("listing:300000 closing:700000"), "{listed}");
    let set = |role: &'static str| {
        let head = ["split-plan", "set", "agent_network", "--from", "2026-03-06", "--role", role];
        let roles = ["--role", "closing:800000", "--remainder-to", "closing", "--return-order", "closing"];
        let tail = ["--return-order", "listing", "--reason", "agreed", "--as", "opr_3"];
        [&head[..], &roles, &tail].concat()
    };
    let told = refused(&server.lintel(&set("listing=200000")));
    assert!(told.contains("NAME:NUMBER"), "{told}");
    let proposed = json_of(server, &set("listing:200000"));
    assert_eq!(proposed["proposal"], plan("2026-03-06", 200_000));
    text(&proposed, "/id")
}
