package box

import (
	"encoding/json"
	"math/big"
	"time"

	"github.com/workfs/workfs/backends"
)

// text is a JSON string, or a number as it is written: Box gives ids and etags as either. Everything else is "".
type text string

// UnmarshalJSON implements json.Unmarshaler.
func (t *text) UnmarshalJSON(b []byte) error {
	*t = ""
	var s string
	if json.Unmarshal(b, &s) == nil {
		*t = text(s)
		return nil
	}
	var n json.Number
	if json.Unmarshal(b, &n) != nil {
		return nil
	}
	*t = text(n)
	// An id written as 1.2e+3 is 1200.
	if f, _, err := big.ParseFloat(n.String(), 10, 128, big.ToNearestEven); err == nil && !f.IsInf() && f.MantExp(nil) < 128 {
		if i, acc := f.Int(nil); acc == big.Exact {
			*t = text(i.String())
		}
	}
	return nil
}

// count is a JSON number, also in exponent form (rclone#2261), that fits an int64; everything else is SizeUnknown.
type count int64

// UnmarshalJSON implements json.Unmarshaler.
func (c *count) UnmarshalJSON(b []byte) error {
	*c = count(backends.SizeUnknown)
	var n json.Number
	if json.Unmarshal(b, &n) != nil {
		return nil
	}
	f, _, err := big.ParseFloat(n.String(), 10, 128, big.ToNearestEven)
	if err != nil || f.IsInf() || f.Sign() < 0 || f.MantExp(nil) > 63 {
		return nil
	}
	if i, _ := f.Int64(); i >= 0 {
		*c = count(i)
	}
	return nil
}

// when is a time with any offset; null, absent and malformed ones are zero.
type when struct{ time.Time }

// UnmarshalJSON implements json.Unmarshaler.
func (w *when) UnmarshalJSON(b []byte) error {
	w.Time = time.Time{}
	var s string
	if json.Unmarshal(b, &s) != nil {
		return nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil || t.Year() < 1 || t.Year() > 9999 {
		return nil
	}
	w.Time = t.UTC()
	return nil
}

// String gives the time for a CSV file, "" when unset.
func (w when) String() string {
	if w.IsZero() {
		return ""
	}
	return w.Format(time.RFC3339)
}

// part is a nested object, left zero where Box sends null, [] or anything else.
type part[T any] struct{ V T }

// UnmarshalJSON implements json.Unmarshaler.
func (p *part[T]) UnmarshalJSON(b []byte) error {
	var v T
	if json.Unmarshal(b, &v) == nil {
		p.V = v
	}
	return nil
}
