//! A payer at EPCC's page, with SM2: the form is fetched, a browser posts it to the sandbox (a process of its own), and what EPCC
//! tells is what becomes of the order. What UnionPay's pages have in common with it: `front_page.rs`.

use serde_json::{Value, json};

use crate::client::{Answer, exchange};
use crate::epcc::{Epcc, becomes};
use crate::front_page::{form_of, posted};
use crate::keys::becomes as metric_becomes;
use crate::open::{balance, number, own, text};
use crate::orders::Market;
use crate::server::Server;
use crate::sites::BREAKER;

/// EPCC, a platform that speaks to it, and an order of 500,000.
struct World {
    epcc: Epcc,
    server: Server,
    market: Market,
    order: String,
}

impl World {
    fn start() -> Option<Self> {
        let epcc = Epcc::start()?;
        let server = epcc.platform();
        let market = Market::open(&server);
        let order = text(&market.order("T1", 500_000).ok(), "/id");
        Some(Self { epcc, server, market, order })
    }

    fn path(&self) -> String {
        format!("/v1/orders/{}", self.order)
    }

    fn pay(&self, return_url: Option<&str>) {
        let mut instrument = json!({"type": "redirect", "rail": "epcc", "amount": 500_000});
        if let Some(url) = return_url {
            instrument["return_url"] = json!(url);
        }
        self.market.operator.post(&format!("{}/pay", self.path()), &json!({"instruments": [instrument]})).ok();
    }

    fn page(&self) -> Answer {
        self.market.operator.get_with(&format!("{}/front-page", self.path()), ("accept", "text/html"))
    }

    fn browse(&self, target: &str, fields: &[(String, String)]) -> Answer {
        let headers = [("content-type", "application/x-www-form-urlencoded")];
        exchange(&self.epcc.0.addresses[0], "POST", target, &headers, posted(fields).as_bytes()).unwrap()
    }

    /// Fetches the form and posts it as a browser does.
    fn send_the_payer(&self) -> Answer {
        let (action, fields) = form_of(&self.page().text());
        assert_eq!(action, format!("http://{}/gateway", self.epcc.0.addresses[0]));
        assert_eq!(fields.len(), 1);
        assert!(fields[0].0 == "ReqMsg" && !fields[0].1.contains("42000010101"), "{}", fields[0].1);
        self.browse("/gateway", &fields)
    }

    fn click(&self, serial: &str, action: &str) -> Answer {
        let fields = [("transaction".to_owned(), serial.to_owned()), ("action".to_owned(), action.to_owned())];
        self.browse("/gateway/pay", &fields)
    }

    fn serial(&self) -> String {
        let order = self.market.operator.get(&self.path()).ok();
        let attempt = text(&order, "/legs/0/open_attempt");
        text(&self.market.operator.get(&format!("/v1/attempts/{attempt}")).ok(), "/serial")
    }

    fn close(&self) -> Value {
        self.market.operator.post(&format!("{}/close", self.path()), &json!({})).ok()
    }

    fn clearing(&self) -> i64 {
        balance(&self.server.operator(), &own(&self.server.operator(), 1121))
    }
}

#[test]
fn an_order_is_paid_at_the_page_refunded_and_cleared_by_the_daily_file() {
    let Some(world) = World::start() else { return };
    world.pay(Some("https://shop.example/T1?a=1&b=2"));
    let serial = world.serial();
    let shown = world.send_the_payer();
    assert!(shown.status == 200 && shown.text().contains("5000.00"), "{}", shown.text());
    // The form that is handed out again is signed anew, and leads to the same page.
    assert_eq!(world.send_the_payer().text(), shown.text());
    assert!(world.click(&serial, "leave").text().contains("Not paid"));
    let order = world.market.operator.get(&world.path()).ok();
    assert_eq!((text(&order, "/status"), world.clearing()), ("paying".into(), 0));

    // What is told of another amount, or by somebody else, is refused.
    for twist in [json!({"amount": 500_001}), json!({"forged": true})] {
        let mut asked = twist;
        asked["transaction"] = json!(serial);
        world.epcc.asked("POST", "/sandbox/epcc/tell", &asked);
    }
    let told = |outcome: &str| format!("lintel_notifications_total{{rail=\"epcc\",outcome=\"{outcome}\"}}");
    metric_becomes(&world.server.operator(), &told("foreign"), |count| count > 0.5);
    metric_becomes(&world.server.operator(), &told("unsigned"), |count| count > 0.5);
    assert_eq!(text(&world.market.operator.get(&world.path()).ok(), "/status"), "paying");

    let back = world.click(&serial, "pay").text();
    assert!(back.contains("action=\"https://shop.example/T1?a=1&amp;b=2\"") && back.contains("RspMsg"), "{back}");
    becomes(&world.market, &world.path(), "success");
    assert_eq!(world.clearing(), 500_000);
    metric_becomes(&world.server.operator(), &told("settled"), |count| count > 0.5);
    assert_eq!(world.page().error().1, "order_state", "there is nothing to pay any more");

    let refund = json!({"out_refund_no": "F1", "amount": 200_000, "return_fee": false});
    let refund = world.market.operator.post(&format!("{}/refunds", world.path()), &refund).ok();
    becomes(&world.market, &format!("/v1/refunds/{}", text(&refund, "/id")), "success");
    world.epcc.asked("POST", "/sandbox/clock", &json!({"date": "2026-03-06"}));
    world.market.next_day();
    let file = world.market.operator.post("/v1/clearing/fetch", &json!({"rail": "epcc", "date": "2026-03-05"})).ok();
    let found = ["/matched", "/different", "/debited", "/refunded", "/net"].map(|pointer| number(&file, pointer));
    assert_eq!(found, [2, 0, 500_000, 200_000, 300_000], "{file}");
}

#[test]
fn an_order_that_is_closed_is_closed_as_soon_as_epcc_has_ended_its_page() {
    let Some(world) = World::start() else { return };
    world.pay(None);
    let serial = world.serial();
    world.send_the_payer();
    // Time stands still: the page would end by itself in a quarter of an hour.
    assert_eq!(world.close()["closing"], json!(true));
    let closed = becomes(&world.market, &world.path(), "closed");
    assert_eq!(text(&closed, "/legs/0/status"), "failed");
    assert!(world.click(&serial, "pay").text().contains("closed"));
    assert_eq!(world.clearing(), 0);

    // Who paid before it was closed has paid: the close says so.
    let order = text(&world.market.order("T2", 500_000).ok(), "/id");
    let world = World { order, ..world };
    world.epcc.asked("POST", "/sandbox/epcc/route", &json!({"url": "http://127.0.0.1:9/lost"}));
    world.pay(None);
    let serial = world.serial();
    world.send_the_payer();
    assert!(world.click(&serial, "pay").text().contains("go back to the shop"));
    world.close();
    becomes(&world.market, &world.path(), "success");
    assert_eq!(world.clearing(), 500_000);
}

/// An order of this number that is to be paid at a page of EPCC's; where its page leads.
fn page_of(market: &Market, number: &str) -> (String, String) {
    let order = text(&market.order(number, 500_000).ok(), "/id");
    let instrument = json!({"type": "redirect", "rail": "epcc", "amount": 500_000});
    market.operator.post(&format!("/v1/orders/{order}/pay"), &json!({"instruments": [instrument]})).ok();
    let led = leads(market, &order);
    (order, led)
}

fn leads(market: &Market, order: &str) -> String {
    text(&market.operator.get(&format!("/v1/orders/{order}/front-page")).ok(), "/action")
}

#[test]
fn pages_lead_to_a_site_that_is_well_and_the_same_page_to_the_same_site_always() {
    let Some(epcc) = Epcc::start_at(2) else { return };
    let mut server = epcc.platform_of_sites(BREAKER);
    let mut market = Market::open(&server);
    let pages = epcc.0.addresses.iter().map(|address| format!("http://{address}/gateway")).collect::<Vec<_>>();
    let (first, led) = page_of(&market, "T1");
    assert_eq!(led, pages[0]);
    assert_eq!(leads(&market, &first), pages[0]);
    let (second, led) = page_of(&market, "T2");
    assert_eq!(led, pages[1], "sites of one weight take turns, and a page seen again takes none");

    // One goes down and is drained: new pages lead to the other, those that are out where they led.
    let state = "lintel_site_state{channel=\"epcc\",site=\"s1\"}";
    let turn = |up: bool| {
        let body = json!({"site": 1, "up": up}).to_string();
        let json = [("content-type", "application/json")];
        let told = exchange(&epcc.0.addresses[1], "POST", "/sandbox/site", &json, body.as_bytes()).unwrap();
        assert_eq!(told.status, 200, "{}", told.text());
    };
    turn(false);
    metric_becomes(&server.operator(), state, |state| state > 2.5);
    let (third, led) = page_of(&market, "T3");
    assert_eq!(led, pages[1]);
    let (_, led) = page_of(&market, "T4");
    assert_eq!(led, pages[1]);
    assert_eq!(leads(&market, &first), pages[0]);

    // It is back, and so is the platform after a stop: what leads where is in the books.
    turn(true);
    metric_becomes(&server.operator(), state, |state| state < 0.5);
    server.stop();
    server.start_again();
    market.operator = server.operator();
    for (order, page) in [(first, &pages[0]), (second, &pages[1]), (third, &pages[1])] {
        assert_eq!(&leads(&market, &order), page);
    }
}
