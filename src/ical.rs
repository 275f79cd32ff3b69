//! iCalendar (RFC 5545): what the properties of an object mean. No I/O.
//!
//! Objects stay [`Component`](crate::contentline::Component)s, which keep every byte that is not changed; this module
//! reads single properties of them and writes single properties back. Dates and times are [`When`]s, in the four forms
//! that iCalendar has; a [`Zones`] turns them into moments.

mod alarm;
mod color;
mod duration;
mod object;
mod occurrences;
mod people;
mod rule;
mod vtimezone;
mod when;
mod windows;
mod zone;

#[cfg(test)]
mod tests;

/// A moment, the same all over the world.
pub use jiff::Timestamp as Moment;
/// A day of the calendar that RFC 5545 §3.3.4 writes as `20261125`.
pub use jiff::civil::Date;
/// A day and a time of day, without a zone.
pub use jiff::civil::DateTime;
/// A time of day.
pub use jiff::civil::Time;
/// A day of the week.
pub use jiff::civil::Weekday;

pub use alarm::{Action, Alarm, Relation, Trigger};
pub use color::{color, color_line};
pub use duration::Duration;
pub use object::{
    calendar, ensure_zone, exclude, instance, instance_mut, is_master, master, master_mut, moment_of, moved,
    new_instance, of_kind, set_or_remove, touch, value_text, without_unused_zones,
};
pub use occurrences::Occurrences;
pub use people::{Person, address};
pub use rule::{Frequency, Rule};
pub use when::{Local, When, plus_days, plus_seconds};
pub use zone::{Zone, Zones};
