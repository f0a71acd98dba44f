package box

import (
	"encoding/json"
	"strconv"
	"time"
	"unicode/utf8"
)

// object is a JSON object whose members keep their order, as Box's answers do.
type object []member

type member struct {
	key string
	val any
}

// get gives the value of a key, nil when absent.
func (o object) get(key string) any {
	for _, m := range o {
		if m.key == key {
			return m.val
		}
	}
	return nil
}

// literal is JSON text written as it stands, for numbers in odd forms.
type literal string

// appendJSON writes v. Listings of a thousand items are the hot path of this simulator, so the usual types are written
// without reflection.
func appendJSON(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case int:
		return strconv.AppendInt(b, int64(v), 10)
	case int64:
		return strconv.AppendInt(b, v, 10)
	case string:
		return appendString(b, v)
	case literal:
		return append(b, v...)
	case object:
		if v == nil {
			return append(b, "null"...)
		}
		b = append(b, '{')
		for i, m := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, m.key)
			b = append(b, ':')
			b = appendJSON(b, m.val)
		}
		return append(b, '}')
	case []object:
		b = append(b, '[')
		for i, o := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendJSON(b, o)
		}
		return append(b, ']')
	case []string:
		b = append(b, '[')
		for i, s := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, s)
		}
		return append(b, ']')
	}
	text, err := json.Marshal(v)
	if err != nil {
		panic("box: answer is not JSON: " + err.Error())
	}
	return append(b, text...)
}

const hexDigits = "0123456789abcdef"

func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			switch {
			case c == '"' || c == '\\':
				b = append(b, '\\', c)
			case c < 0x20 || c == 0x7f:
				b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
			default:
				b = append(b, c)
			}
			i++
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == utf8.RuneError && n == 1 {
			b = append(b, `\ufffd`...)
		} else {
			b = append(b, s[i:i+n]...)
		}
		i += n
	}
	return append(b, '"')
}

// stamp writes a time as Box does: whole seconds with an offset that varies from item to item and with daylight saving
// in California. A zero time is null.
func stamp(t time.Time, salt uint64) any {
	if t.IsZero() {
		return nil
	}
	zone := time.FixedZone("", -8*3600)
	switch m := t.Month(); {
	case salt%7 == 3:
		zone = time.FixedZone("", 0)
	case m >= time.April && m <= time.October:
		zone = time.FixedZone("", -7*3600)
	}
	return t.In(zone).Format("2006-01-02T15:04:05-07:00")
}

// exponent writes a size in exponent form, which is exact below 2^53.
func exponent(n int64) literal {
	return literal(strconv.FormatFloat(float64(n), 'e', -1, 64))
}

// numeral writes a decimal number as a string, as Box does with ids.
func numeral(n uint64) string { return strconv.FormatUint(n, 10) }
