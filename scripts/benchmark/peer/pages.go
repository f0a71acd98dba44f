package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"strconv"
	"syscall"
	"time"
)

// pages follows a delta query to its end and keeps nothing but the links.
func pages(url string, size int) (result, error) {
	var page bytes.Buffer
	var count, total int
	start := time.Now()
	for url != "" {
		req, err := http.NewRequest(http.MethodGet, url, nil)
		if err != nil {
			return nil, err
		}
		req.Header.Set("Authorization", "Bearer "+os.Getenv("PEER_TOKEN"))
		req.Header.Set("Prefer", `IdType="ImmutableId", odata.maxpagesize=`+strconv.Itoa(size))
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			return nil, err
		}
		page.Reset()
		_, err = page.ReadFrom(answer.Body)
		if err := errors.Join(err, answer.Body.Close()); err != nil {
			return nil, err
		}
		if answer.StatusCode != http.StatusOK {
			return nil, fmt.Errorf("%s: %s", url, answer.Status)
		}
		count++
		total += page.Len()
		if url, err = link(page.Bytes()); err != nil {
			return nil, err
		}
	}
	took := time.Since(start)
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		return nil, err
	}
	cpu := time.Duration(used.Utime.Nano() + used.Stime.Nano())
	return result{"seconds": took.Seconds(), "cpu": cpu.Seconds(), "pages": count, "bytes": total}, nil
}

// link finds the address of the next page without decoding the page. It is "" on the last one.
func link(page []byte) (string, error) {
	key := []byte(`"@odata.nextLink":`)
	i := bytes.Index(page, key)
	if i < 0 {
		return "", nil
	}
	var next string
	err := json.NewDecoder(bytes.NewReader(page[i+len(key):])).Decode(&next)
	return next, err
}
