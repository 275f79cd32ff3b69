//! What the tools for events take.

use super::changing::REMINDER_MINUTES;
use crate::apps::calendar::reminders::Reminder;
use crate::params;
use crate::schema::Count;
use crate::tool::Cursor;

params! {
    pub(in crate::apps::calendar) struct CreateEvent {
        calendar_name: String,
        title: String,
        /// `2026-11-25T09:00` or, for a whole day, `2026-11-25`.
        start_datetime: String,
        /// One hour or one day after the start if left out. Of whole days the day after the last.
        end_datetime: String = "",
        all_day: bool = false,
        description: String = "",
        location: String = "",
        /// Comma-separated.
        categories: String = "",
        recurring: Option<bool>,
        /// RRULE, e.g. `FREQ=WEEKLY;BYDAY=MO`.
        recurrence_rule: String = "",
        recurrence_end_date: String = "",
        /// 15 if left out, 0 for none.
        reminder_minutes: Option<i64>,
        reminder_email: bool = false,
        /// CONFIRMED, TENTATIVE or CANCELLED.
        status: String = "CONFIRMED",
        /// 0 none, 1 highest, 9 lowest.
        priority: i64 = 5,
        /// PUBLIC, PRIVATE or CONFIDENTIAL.
        privacy: String = "PUBLIC",
        /// Comma-separated e-mail addresses; Nextcloud sends invitations.
        attendees: String = "",
        url: String = "",
        /// CSS name or #rrggbb.
        color: String = "",
        /// IANA name, for times without offset. If left out the calendar's own, else none: the same clock time anywhere.
        timezone: String = "",
        /// Instead of reminder_minutes and reminder_email.
        reminders: Option<Vec<Reminder>>,
    }
}

params! {
    pub(in crate::apps::calendar) struct ListEvents {
        /// All calendars if left out.
        calendar_name: String = "",
        /// Day or time.
        start_date: String = "",
        /// Counts whole.
        end_date: String = "",
        limit: Count<0, 500> = 50,
        min_attendees: Option<i64>,
        min_duration_minutes: Option<i64>,
        /// Comma-separated; any of them.
        categories: Option<String>,
        status: Option<String>,
        title_contains: Option<String>,
        location_contains: Option<String>,
        search_all_calendars: bool = false,
        /// To show times in.
        timezone: String = "",
        cursor: Option<Cursor>,
    }
}

params! {
    pub(in crate::apps::calendar) struct GetEvent {
        calendar_name: String,
        event_uid: String,
    }
}

params! {
    pub(in crate::apps::calendar) struct UpdateEvent {
        calendar_name: String,
        event_uid: String,
        /// Change only this instance of a series.
        recurrence_id: String = "",
        title: Option<String>,
        start_datetime: Option<String>,
        end_datetime: Option<String>,
        all_day: Option<bool>,
        description: Option<String>,
        location: Option<String>,
        categories: Option<String>,
        /// false ends the recurrence.
        recurring: Option<bool>,
        recurrence_rule: Option<String>,
        recurrence_end_date: Option<String>,
        /// 0 for none.
        reminder_minutes: Option<i64>,
        reminder_email: Option<bool>,
        status: Option<String>,
        priority: Option<i64>,
        privacy: Option<String>,
        /// All of them, comma-separated.
        attendees: Option<String>,
        url: Option<String>,
        color: Option<String>,
        /// Alone, it moves the event to the same time in that zone.
        timezone: Option<String>,
        reminders: Option<Vec<Reminder>>,
        /// Of the last read, to overwrite no newer change.
        etag: String = "",
    }
}

params! {
    pub(in crate::apps::calendar) struct DeleteEvent {
        calendar_name: String,
        event_uid: String,
        /// Delete only this instance of a series.
        recurrence_id: String = "",
    }
}

params! {
    pub(in crate::apps::calendar) struct CreateMeeting {
        title: String,
        date: String,
        /// `14:30`
        time: String,
        duration_minutes: Count<1, 525600> = 60,
        calendar_name: String = "personal",
        /// Comma-separated e-mail addresses; Nextcloud sends invitations.
        attendees: String = "",
        location: String = "",
        description: String = "",
        /// 0 for none.
        reminder_minutes: i64 = REMINDER_MINUTES,
        /// IANA name; the calendar's own if left out.
        timezone: String = "",
    }
}

params! {
    pub(in crate::apps::calendar) struct UpcomingEvents {
        /// All calendars if left out.
        calendar_name: String = "",
        days_ahead: Count<0, 3660> = 7,
        limit: Count<0, 500> = 10,
        /// To show times in.
        timezone: String = "",
        cursor: Option<Cursor>,
    }
}
