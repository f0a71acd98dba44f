package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Size is a number of bytes as people write it: 64Mi, 10G, 1.5T, "off" for no limit. Letters count in powers of 1024,
// with or without the i, as in rclone.
type Size int64

// SizeOff is no limit.
const SizeOff Size = math.MaxInt64

// Set implements pflag.Value.
func (s *Size) Set(text string) error {
	t := strings.TrimSpace(text)
	if strings.EqualFold(t, "off") {
		*s = SizeOff
		return nil
	}
	number := strings.TrimRight(t, "bBiI")
	unit := 1.0
	if number != "" {
		if i := strings.IndexByte("kmgtp", number[len(number)-1]|0x20); i >= 0 {
			unit = math.Pow(1024, float64(i+1))
			number = number[:len(number)-1]
		}
	}
	v, err := strconv.ParseFloat(number, 64)
	if err != nil || v < 0 || v*unit >= math.MaxInt64 || math.IsNaN(v) {
		return fmt.Errorf("%q is not a size: write 512Mi, 10G or off", text)
	}
	*s = Size(v * unit)
	return nil
}

// String implements pflag.Value.
func (s *Size) String() string {
	v := int64(*s)
	if *s == SizeOff {
		return "off"
	}
	for i, unit := range []string{"", "Ki", "Mi", "Gi", "Ti"} {
		if v%1024 != 0 || v == 0 || i == 4 {
			return strconv.FormatInt(v, 10) + unit
		}
		v /= 1024
	}
	return strconv.FormatInt(int64(*s), 10)
}

// Type implements pflag.Value.
func (s *Size) Type() string { return "size" }

// Duration is a time.Duration that may be written in days: 30s, 5m, 1h30m, 7d.
type Duration time.Duration

// Set implements pflag.Value.
func (d *Duration) Set(text string) error {
	t := strings.TrimSpace(text)
	var days time.Duration
	if i := strings.IndexByte(t, 'd'); i > 0 {
		n, err := strconv.ParseFloat(t[:i], 64)
		if err != nil || n < 0 || n > 36500 {
			return fmt.Errorf("%q is not a duration: write 30s, 5m, 1h30m or 7d", text)
		}
		days = time.Duration(n * float64(24*time.Hour))
		t = t[i+1:]
	}
	var rest time.Duration
	if t != "" {
		var err error
		if rest, err = time.ParseDuration(t); err != nil || rest < 0 {
			return fmt.Errorf("%q is not a duration: write 30s, 5m, 1h30m or 7d", text)
		}
	}
	*d = Duration(days + rest)
	return nil
}

// String implements pflag.Value.
func (d *Duration) String() string { return time.Duration(*d).String() }

// Type implements pflag.Value.
func (d *Duration) Type() string { return "duration" }

// Umask is a permission mask in octal.
type Umask uint32

// Set implements pflag.Value.
func (u *Umask) Set(text string) error {
	v, err := strconv.ParseUint(text, 8, 32)
	if err != nil || v > 0o777 {
		return fmt.Errorf("%q is not an octal mask like 077", text)
	}
	*u = Umask(v)
	return nil
}

// String implements pflag.Value.
func (u *Umask) String() string { return fmt.Sprintf("%04o", uint32(*u)) }

// Type implements pflag.Value.
func (u *Umask) Type() string { return "umask" }

// formats are the forms in which messages can be shown.
var formats = []string{"md", "json", "eml"}

// Formats is a list of formats, kept in a fixed order without repetitions.
type Formats []string

// Set implements pflag.Value.
func (f *Formats) Set(text string) error {
	want := map[string]bool{}
	for _, name := range strings.Split(text, ",") {
		name = strings.ToLower(strings.TrimSpace(name))
		known := false
		for _, k := range formats {
			known = known || k == name
		}
		if !known {
			return fmt.Errorf("%q is not a format: choose from %s", name, strings.Join(formats, ", "))
		}
		want[name] = true
	}
	*f = (*f)[:0:0]
	for _, k := range formats {
		if want[k] {
			*f = append(*f, k)
		}
	}
	return nil
}

// String implements pflag.Value.
func (f *Formats) String() string { return strings.Join(*f, ",") }

// Type implements pflag.Value.
func (f *Formats) Type() string { return "formats" }
