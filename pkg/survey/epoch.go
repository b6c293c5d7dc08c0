package survey

import "time"

// Epoch is a reward period: the week that starts on a Monday at 00:00 UTC, half-open [Start, End). Its text form is the
// date of that Monday, for example "2024-05-06".
type Epoch struct{ n int64 } // weeks since mondayZero; the zero Epoch is the one that holds 1970-01-01

const week = 7 * 24 * 3600

// mondayZero is 1969-12-29, the Monday before the Unix epoch.
const mondayZero = -3 * 24 * 3600

// EpochOf is the epoch that contains t.
func EpochOf(t time.Time) Epoch {
	s := t.Unix() - mondayZero
	n := s / week
	if s%week < 0 {
		n--
	}
	return Epoch{n}
}

// Start is the Monday 00:00 UTC that begins the epoch.
func (e Epoch) Start() time.Time { return time.Unix(e.n*week+mondayZero, 0).UTC() }

// End is the first instant after the epoch.
func (e Epoch) End() time.Time { return e.Start().Add(week * time.Second) }

// Next is the epoch that begins at End.
func (e Epoch) Next() Epoch { return Epoch{e.n + 1} }

// Number counts epochs from the one that holds 1970-01-01, which is 0.
func (e Epoch) Number() int64 { return e.n }

func (e Epoch) String() string { return e.Start().Format(time.DateOnly) }

// ParseEpoch reads the text form; a date that is no Monday is Invalid.
func ParseEpoch(s string) (Epoch, error) {
	t, err := time.Parse(time.DateOnly, s)
	if err != nil {
		return Epoch{}, Errorf(Invalid, "epoch %.40q is not a date like 2024-05-06", s)
	}
	if t.Weekday() != time.Monday {
		return Epoch{}, Errorf(Invalid, "epoch %s is a %s; an epoch is named by its Monday", s, t.Weekday()).
			WithHint("use %s", EpochOf(t))
	}
	return EpochOf(t), nil
}

func (e Epoch) MarshalText() ([]byte, error) { return []byte(e.String()), nil }

func (e *Epoch) UnmarshalText(b []byte) error {
	p, err := ParseEpoch(string(b))
	if err == nil {
		*e = p
	}
	return err
}
