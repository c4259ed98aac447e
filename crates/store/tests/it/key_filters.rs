//! Filters of keys that were kept: the ones that can be relied on come back, and no others.

use store::key_filter::{self, FilterRow};

use crate::place::{Place, on_both};

on_both! {
    filters_come_back_in_order
    a_filter_takes_the_place_of_those_it_overlaps
    nothing_behind_a_damaged_or_missing_filter_is_relied_on
}

fn row(after: u64, through: u64) -> FilterRow {
    FilterRow { after, through, keys: through - after, filter: vec![through.to_le_bytes()[0]; 9] }
}

fn kept(place: &Place, rows: &[FilterRow]) -> Vec<FilterRow> {
    let database = place.open();
    rows.iter().for_each(|row| key_filter::replace(&database, row).unwrap());
    key_filter::sound(&database).unwrap().0
}

fn filters_come_back_in_order(place: &Place) {
    let rows = [row(0, 5), row(5, 9), row(9, 200)];
    assert_eq!(kept(place, &[]), []);
    assert_eq!(kept(place, &[rows[2].clone(), rows[0].clone(), rows[1].clone()]), rows);
}

fn a_filter_takes_the_place_of_those_it_overlaps(place: &Place) {
    kept(place, &[row(0, 5), row(5, 9), row(9, 12), row(12, 20)]);
    assert_eq!(kept(place, &[row(5, 12)]), [row(0, 5), row(5, 12), row(12, 20)]);
    assert_eq!(kept(place, &[row(5, 12)]), [row(0, 5), row(5, 12), row(12, 20)], "written again");
    assert_eq!(kept(place, &[row(0, 13)]), [row(0, 13)], "what it overlapped only in part is gone too");
}

fn nothing_behind_a_damaged_or_missing_filter_is_relied_on(place: &Place) {
    let rows = [row(0, 5), row(5, 9), row(9, 12)];
    assert_eq!(kept(place, &rows), rows);
    let database = place.open();
    let damage = |sql: &str| {
        assert_eq!(database.execute(sql, &[]).unwrap(), 1);
        key_filter::sound(&database).unwrap()
    };
    let left = |rows: &[FilterRow], damaged| (rows.to_vec(), damaged);
    assert_eq!(
        damage("UPDATE key_filters SET keys = keys + 1 WHERE through_position = 12"),
        left(&rows[..2], Some(12))
    );
    assert_eq!(
        damage("UPDATE key_filters SET after_position = 4 WHERE through_position = 9"),
        left(&rows[..1], Some(9))
    );
    assert_eq!(damage("DELETE FROM key_filters WHERE through_position = 5"), left(&[], Some(9)));
    assert_eq!(damage("DELETE FROM key_filters WHERE through_position = 9"), left(&[], Some(12)));
}
