//! The page on which a customer pays with a browser.

use dbos::http::{Html, IntoResponse, Redirect, Response};
use dbos::{HttpError, get_api, post_api};
use shop_app::payment::PaymentStatus;

use crate::routes::end_session;
use crate::sessions::{PaymentItem, Session, Sessions};

/// What to do here.
#[get_api("/")]
async fn welcome() -> &'static str {
    "Plaid Payments: a shop sends its customers here, each with a session of his own.\n"
}

/// The page on which a customer pays.
///
/// # Errors
///
/// - 404: There is no such session.
#[get_api("/payment/:session_id")]
async fn payment_page(session_id: String) -> Result<Response, HttpError> {
    let session = Sessions::get(&session_id).await?;
    let items = Sessions::items(&session_id).await?;
    let headers = [
        // Nothing runs here, nothing comes from elsewhere, and no other site may frame the buttons.
        (
            "content-security-policy",
            "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'",
        ),
        ("x-content-type-options", "nosniff"),
        ("referrer-policy", "no-referrer"),
        ("cache-control", "no-store"),
    ];
    Ok((headers, Html(page(&session, &items))).into_response())
}

/// Either button of the page. The customer goes where the session's end leads, whichever button he has pressed.
///
/// # Errors
///
/// - 400: Neither button was pressed, or both.
/// - 404: There is no such session.
/// - 503: The session has not ended yet; ask again.
#[post_api("/payment/:session_id")]
async fn payment_form(
    session_id: String,
    submit: Option<String>,
    cancel: Option<String>,
) -> Result<Redirect, HttpError> {
    let wanted = match (submit, cancel) {
        (Some(_), None) => PaymentStatus::Paid,
        (None, Some(_)) => PaymentStatus::Cancelled,
        _ => return Err(HttpError::new(400, "Press one of the two buttons")),
    };
    let session = Sessions::get(&session_id).await?;
    Ok(Redirect::see_other(match end_session(&session, wanted).await? {
        PaymentStatus::Paid => session.success_url,
        PaymentStatus::Pending | PaymentStatus::Cancelled => session.cancel_url,
    }))
}

fn page(session: &Session, items: &[PaymentItem]) -> String {
    let bill: String = items.iter().map(row).collect();
    let end = match session.status() {
        PaymentStatus::Pending => BUTTONS.to_owned(),
        ended => format!("<p>This session is {ended}.</p>"),
    };
    format!(
        "<!doctype html>
<html lang=\"en\">
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width\">
<title>Plaid Payments</title>
<style>{STYLE}</style>
<h1>Plaid Payments</h1>
<table>
<tr><th scope=\"col\">Item</th><th scope=\"col\">Quantity</th><th scope=\"col\">Price</th></tr>
{bill}</table>
{end}
</html>
"
    )
}

/// It fits a phone, by day and by night.
const STYLE: &str = "
:root { color-scheme: light dark; font: 1rem/1.5 system-ui, sans-serif }
body { max-width: 26rem; margin: 8vh auto; padding: 0 1rem }
table { width: 100%; border-collapse: collapse }
th, td { padding: .5rem .5rem .5rem 0; border-bottom: 1px solid #8886; text-align: start; overflow-wrap: anywhere }
:is(th, td):last-child { padding-inline-end: 0; text-align: end; white-space: nowrap }
form { display: flex; flex-wrap: wrap; gap: .75rem; margin-top: 1.5rem }
button { flex: 1; min-height: 3rem; border: 1px solid #888; border-radius: .5rem; font: inherit; white-space: nowrap }
button[name=submit] { border-color: #4f46e5; background: #4f46e5; color: #fff }
";

const BUTTONS: &str = "<form method=\"post\">
<button name=\"submit\" value=\"submit\">Submit Payment</button>
<button name=\"cancel\" value=\"cancel\">Cancel Payment</button>
</form>";

fn row(item: &PaymentItem) -> String {
    format!("<tr><td>{}</td><td>{}</td><td>${}</td></tr>\n", escaped(&item.description), item.quantity, item.price)
}

/// Text that stays text, whatever a shop has put into it.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;").replace('\'', "&#39;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_shop_sells_is_no_markup() {
        assert_eq!(escaped("<b onclick='x'>\"&\"</b>"), "&lt;b onclick=&#39;x&#39;&gt;&quot;&amp;&quot;&lt;/b&gt;");
    }
}
