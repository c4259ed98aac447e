//! Manual vouchers: their templates, and what their proposals say. They are made by approvals of kinds `voucher_template`,
//! `manual_voucher` and `adjustment`.

use axum::extract::State;
use domain::ids::TemplateId;
use domain::manual_voucher::{
    Adjustment, ManualVoucher, TemplateCommand, TemplateLine, TemplateStatus, VoucherTemplate,
};
use domain::voucher::EventCode;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::App;
use super::account::subject;
use super::answer::Answered;
use super::approval::Wire;
use super::auth::Caller;
use super::error::ApiError;
use super::extract::{Id, Query};
use super::list::{ListAnswer, PageView, list_query};
use super::voucher::{WireDimensions, entries};
use super::wire::{WireEntry, WireSide, date_text, parse, parse_some, time_text, word};

/// One side of one subject that a template's vouchers may touch.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = TemplateLine)]
pub(crate) struct WireLine {
    /// The subject's code.
    #[schema(example = 2201)]
    subject: u16,
    /// Debit or credit.
    side: WireSide,
}

/// An approval's change of templates.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "action", rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum TemplateChange {
    /// Set one; one of the same code is replaced and active again.
    Set {
        /// What makers name it by: 3 to 32 of `a-z0-9._-`.
        code: String,
        /// What it is for.
        title: String,
        /// The event code of its vouchers, such as `manual_voucher`.
        event: String,
        /// What they may touch, 2 to 32.
        lines: Vec<WireLine>,
    },
    /// Let no more vouchers be made by it.
    Retire {
        /// Which.
        template: String,
    },
}

/// A voucher by a template.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct ManualVoucherBody {
    /// The template's code.
    template: String,
    /// Two or more; debits equal credits in each book and currency.
    entries: Vec<WireEntry>,
    /// The voucher that it undoes.
    contra_of: Option<String>,
    /// What it is counted under.
    dimensions: Option<WireDimensions>,
}

/// A voucher dated a day that is cut and not closed.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct AdjustmentBody {
    /// The day.
    #[schema(example = "2026-03-05")]
    date: String,
    /// The template's code.
    template: String,
    /// Two or more; debits equal credits in each book and currency.
    entries: Vec<WireEntry>,
    /// The voucher that it undoes.
    contra_of: Option<String>,
    /// What it is counted under.
    dimensions: Option<WireDimensions>,
}

impl WireLine {
    fn read(self) -> Result<TemplateLine, ApiError> {
        Ok(TemplateLine { subject: subject(self.subject)?, side: self.side.into() })
    }

    fn show(line: &TemplateLine) -> Self {
        Self { subject: line.subject.code(), side: line.side.into() }
    }
}

impl Wire for TemplateChange {
    type Of = TemplateCommand;

    fn read(self) -> Result<TemplateCommand, ApiError> {
        Ok(match self {
            Self::Set { code, title, event, lines } => {
                let line =
                    |(at, line): (usize, WireLine)| line.read().map_err(|error| error.within(&format!("lines[{at}]")));
                let lines = lines.into_iter().enumerate().map(line).collect::<Result<_, _>>()?;
                let event = word(&event, "event", EventCode::ALL, EventCode::name)?;
                TemplateCommand::Set { code, title, event, lines }
            }
            Self::Retire { template } => TemplateCommand::Retire(parse(&template, "template")?),
        })
    }

    fn show(command: &TemplateCommand) -> Self {
        match command {
            TemplateCommand::Set { code, title, event, lines } => Self::Set {
                code: code.clone(),
                title: title.clone(),
                event: event.name().to_owned(),
                lines: lines.iter().map(WireLine::show).collect(),
            },
            TemplateCommand::Retire(id) => Self::Retire { template: id.to_string() },
        }
    }
}

impl Wire for ManualVoucherBody {
    type Of = ManualVoucher;

    fn read(self) -> Result<ManualVoucher, ApiError> {
        Ok(ManualVoucher {
            template: self.template,
            entries: entries(&self.entries)?,
            contra_of: parse_some(self.contra_of.as_deref(), "contra_of")?,
            dimensions: self.dimensions.map(WireDimensions::dimensions).transpose()?,
        })
    }

    fn show(voucher: &ManualVoucher) -> Self {
        Self {
            template: voucher.template.clone(),
            entries: voucher.entries.iter().map(WireEntry::show).collect(),
            contra_of: voucher.contra_of.map(|id| id.to_string()),
            dimensions: voucher.dimensions.as_deref().map(WireDimensions::show),
        }
    }
}

impl Wire for AdjustmentBody {
    type Of = Adjustment;

    fn read(self) -> Result<Adjustment, ApiError> {
        let Self { date, template, entries, contra_of, dimensions } = self;
        let voucher = ManualVoucherBody { template, entries, contra_of, dimensions }.read()?;
        Ok(Adjustment { date: parse(&date, "date")?, voucher })
    }

    fn show(adjustment: &Adjustment) -> Self {
        let ManualVoucherBody { template, entries, contra_of, dimensions } =
            ManualVoucherBody::show(&adjustment.voucher);
        Self { date: date_text(adjustment.date), template, entries, contra_of, dimensions }
    }
}

/// A template of manual vouchers.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TemplateView {
    #[schema(example = "tpl_1")]
    id: String,
    /// What makers name it by.
    code: String,
    title: String,
    /// The event code of its vouchers.
    #[schema(example = "manual_voucher")]
    event: &'static str,
    /// What they may touch.
    lines: Vec<WireLine>,
    /// `active` or `retired`.
    #[schema(example = "active")]
    status: &'static str,
    changed_at: String,
    /// Who wanted that, by login.
    changed_by: String,
    /// Who approved that, by login.
    approved_by: Option<String>,
    /// What may be proposed for it now.
    allowed_actions: Vec<&'static str>,
}

impl TemplateView {
    fn of(template: &VoucherTemplate) -> Self {
        let allowed_actions = match template.status {
            TemplateStatus::Active => vec!["post", "set", "retire"],
            TemplateStatus::Retired => vec!["set"],
        };
        Self {
            id: template.id.to_string(),
            code: template.code.clone(),
            title: template.title.clone(),
            event: template.event.name(),
            lines: template.lines.iter().map(WireLine::show).collect(),
            status: template.status.name(),
            changed_at: time_text(template.changed_at),
            changed_by: template.changed_by.clone(),
            approved_by: template.approved_by.clone(),
            allowed_actions,
        }
    }
}

/// Look at a template of manual vouchers
#[utoipa::path(
    get, path = "/v1/voucher-templates/{id}", tag = "manual_voucher",
    params(("id" = String, Path, example = "tpl_1")), responses((status = OK, body = TemplateView))
)]
pub(crate) async fn get(State(app): State<App>, caller: Caller, Id(id): Id<TemplateId>) -> Answered<TemplateView> {
    caller.operator()?;
    app.look(move |state| state.voucher_template(id).map(TemplateView::of)).await
}

list_query! {
    /// Which templates.
    pub(crate) struct TemplateQuery {
        /// By exactly this code.
        code,
        /// `active` or `retired`.
        status,
    }
}

/// List templates of manual vouchers
#[utoipa::path(
    get, path = "/v1/voucher-templates", tag = "manual_voucher", params(TemplateQuery),
    responses((status = OK, body = PageView<TemplateView>))
)]
pub(crate) async fn list(
    State(app): State<App>,
    caller: Caller,
    Query(query): Query<TemplateQuery>,
) -> ListAnswer<TemplateView> {
    caller.operator()?;
    let all = [TemplateStatus::Active, TemplateStatus::Retired];
    let page = query.page();
    let filter = store::manual_voucher::TemplateFilter {
        code: query.code,
        status: query.status.as_deref().map(|text| word(text, "status", &all, TemplateStatus::name)).transpose()?,
    };
    app.list(filter, page, |_, template| TemplateView::of(template)).await
}
