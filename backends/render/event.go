package render

import "errors"

// EventICS gives an event as an iCalendar file (RFC 5545): the single event or series master, the exceptions of the series
// as further VEVENTs, and EXDATEs for its cancelled occurrences. cancelled adds to the master's own cancelledOccurrences and
// takes the same strings (OID.<id>.YYYY-MM-DD), bare dates, and times of the original start.
func EventICS(master []byte, exceptions [][]byte, cancelled []string) ([]byte, error) {
	return nil, errors.New("render: not rendered yet")
}
