"""Why a flight did not run in a slot: the closed list that `explain`, reports and the API share."""

from __future__ import annotations

from enum import StrEnum


class FlightReason(StrEnum):
    """One member per cause, each with an example."""

    INACTIVE = "inactive"  # the flight, its campaign or all its creatives are switched off
    NOT_STARTED = "not_started"  # it starts tomorrow
    ENDED = "ended"  # its last day is over
    TARGETING = "targeting"  # it wants the section sport, the article is in politics
    SLOT_TYPE = "slot_type"  # its creatives are for a leaderboard, the slot is in-article
    SIZE = "size"  # it has 728x90, the slot takes 300x250
    BLOCKED_CATEGORY = "blocked_category"  # the site takes no gambling
    CONSENT = "consent"  # it needs a reader's consent that was not given
    BAD_MARKUP = "bad_markup"  # the creative's markup would reach out of its slot
    FREQUENCY_CAP = "frequency_cap"  # this reader saw it three times today
    DAILY_CAP = "daily_cap"  # today's budget is spent
    LIFETIME_CAP = "lifetime_cap"  # the whole budget is spent
    GOAL_REACHED = "goal_reached"  # all booked views were delivered
    PACING = "pacing"  # it is ahead of its pace and waits
    PAGE_DUPLICATE = "page_duplicate"  # its creative stands further up on this page
    PAGE_LABEL = "page_label"  # a competitor stands on this page
    ROADBLOCK = "roadblock"  # it takes all slots of a page or none
    LOST_PRIORITY = "lost_priority"  # flights of a better tier filled the list
    LOST_LOTTERY = "lost_lottery"  # others of its tier were drawn before it
    STORE_ERROR = "store_error"  # its budget could not be asked for
