//! A plot of a run as SVG: transfers a second, memory and disk over the transfers so far, one panel below the other.

use std::fmt::Write as _;

use super::monitor::Point;

/// The drawing, in pixels.
const WIDTH: f64 = 760.0;
const PANEL: f64 = 150.0;
const LEFT: f64 = 90.0;
const RIGHT: f64 = 20.0;
const TOP: f64 = 48.0;
const GAP: f64 = 44.0;

/// One quantity over the transfers so far.
struct Panel {
    title: &'static str,
    unit: &'static str,
    color: &'static str,
    values: Vec<f64>,
}

/// Draws the points of a run.
pub(crate) fn svg(title: &str, points: &[Point]) -> String {
    let column = |value: fn(&Point) -> f64| points.iter().map(value).collect();
    let panels = [
        Panel { title: "transfers a second", unit: "", color: "#1f6feb", values: column(|point| point.per_second) },
        Panel {
            title: "resident memory of the server",
            unit: " MiB",
            color: "#b35900",
            values: column(|point| mebibytes(point.resident_bytes)),
        },
        Panel {
            title: "data directory",
            unit: " MiB",
            color: "#2e7d32",
            values: column(|point| mebibytes(point.disk_bytes)),
        },
    ];
    let last = points.last().map_or(1.0, |point| point.transfers as f64).max(1.0);
    let height = TOP + (PANEL + GAP) * panels.len() as f64 + 10.0;
    let mut out = String::new();
    let mut line = |text: String| {
        out.push_str(&text);
        out.push('\n');
    };
    line(format!(
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="12">"#
    ));
    line(format!(r##"<rect width="{WIDTH}" height="{height}" fill="#ffffff"/>"##));
    line(format!(r#"<text x="{LEFT}" y="24" font-size="15">{}</text>"#, escaped(title)));
    for (at, panel) in panels.iter().enumerate() {
        line(draw(panel, points, last, TOP + (PANEL + GAP) * at as f64));
    }
    line("</svg>".to_owned());
    out
}

fn draw(panel: &Panel, points: &[Point], last: f64, top: f64) -> String {
    let (width, bottom) = (WIDTH - LEFT - RIGHT, top + PANEL);
    let highest = ceiling(panel.values.iter().copied().fold(0.0, f64::max));
    let x = |transfers: f64| LEFT + width * transfers / last;
    let y = |value: f64| bottom - PANEL * value / highest;
    let mut out = format!(r#"<text x="{LEFT}" y="{}">{}</text>"#, top - 6.0, panel.title);
    for part in 0..=2 {
        let value = highest * f64::from(part) / 2.0;
        let label = format!("{}{}", short(value), panel.unit);
        // Writing to a text does not fail.
        let _ = write!(
            out,
            r##"<line x1="{LEFT}" y1="{0:.1}" x2="{1}" y2="{0:.1}" stroke="#d0d7de"/><text x="{2}" y="{3:.1}" text-anchor="end">{label}</text>"##,
            y(value),
            WIDTH - RIGHT,
            LEFT - 6.0,
            y(value) + 4.0,
        );
    }
    for part in 0..=4 {
        let transfers = last * f64::from(part) / 4.0;
        let _ = write!(
            out,
            r#"<text x="{:.1}" y="{}" text-anchor="middle">{}</text>"#,
            x(transfers),
            bottom + 16.0,
            short(transfers)
        );
    }
    let pair = |(point, value): (&Point, &f64)| format!("{:.1},{:.1}", x(point.transfers as f64), y(*value));
    let line = points.iter().zip(&panel.values).map(pair).collect::<Vec<_>>().join(" ");
    let _ = write!(out, r#"<polyline fill="none" stroke="{}" stroke-width="2" points="{line}"/>"#, panel.color);
    out
}

fn mebibytes(bytes: u64) -> f64 {
    bytes as f64 / f64::from(1 << 20)
}

/// The next of 1, 2 and 5 times a power of ten, so that the axis has round numbers.
fn ceiling(value: f64) -> f64 {
    if value <= 0.0 {
        return 1.0;
    }
    let power = 10_f64.powf(value.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|factor| factor * power).find(|top| *top >= value).unwrap_or(value)
}

/// A number in few characters: 2.5 M, 400 k.
fn short(value: f64) -> String {
    let (scaled, suffix) = match value {
        value if value >= 1e6 => (value / 1e6, " M"),
        value if value >= 1e3 => (value / 1e3, " k"),
        value => (value, ""),
    };
    let text = format!("{scaled:.2}");
    format!("{}{suffix}", text.trim_end_matches('0').trim_end_matches('.'))
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(transfers: u64, per_second: f64, resident_bytes: u64) -> Point {
        Point { transfers, seconds: 1.0, per_second, resident_bytes, disk_bytes: transfers * 40 }
    }

    #[test]
    fn every_point_is_on_the_line_of_each_panel_and_inside_the_drawing() {
        let points = [point(50_000_000, 900_000.0, 1 << 28), point(100_000_000, 800_000.0, 1 << 29)];
        let drawing = svg("grown: a < b", &points);
        assert_eq!(drawing.matches("<polyline").count(), 3);
        assert_eq!(drawing.matches("<svg").count(), drawing.matches("</svg>").count());
        assert!(
            drawing.contains("grown: a &lt; b") && drawing.contains(">100 M</text>") && drawing.contains(">1 M</text>")
        );
        for line in drawing.split("points=\"").skip(1) {
            let pairs: Vec<&str> = line.split('"').next().unwrap().split(' ').collect();
            assert_eq!(pairs.len(), 2);
            for pair in pairs {
                let (x, y) = pair.split_once(',').unwrap();
                let (x, y): (f64, f64) = (x.parse().unwrap(), y.parse().unwrap());
                assert!((LEFT..=WIDTH - RIGHT).contains(&x) && (TOP..1_000.0).contains(&y), "{pair}");
            }
        }
        // 900,000 of an axis to 1,000,000 is a tenth below the top of the first panel; half the transfers, half the width.
        assert!(drawing.contains("points=\"415.0,63.0 740.0,78.0\""), "{drawing}");
    }

    #[test]
    fn a_run_without_points_is_an_empty_plot() {
        assert!(svg("none", &[]).contains("points=\"\""));
    }

    #[test]
    fn axes_end_at_round_numbers_and_say_them_shortly() {
        assert_eq!([0.0, 1.0, 1.1, 499.0, 501.0, 900_000.0].map(ceiling), [1.0, 1.0, 2.0, 500.0, 1_000.0, 1_000_000.0]);
        assert_eq!([0.0, 12.5, 2_500.0, 1e6, 25e6].map(short), ["0", "12.5", "2.5 k", "1 M", "25 M"]);
    }
}
