//go:build ignore

// This program packs Go's copy of the IANA time zone database (public domain) into zoneinfo.gz: for each zone its name, its
// size in decimal and its TZif data, the three parted by newlines, all compressed as one stream.
package main

import (
	"archive/zip"
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"log"
	"os"
	"path/filepath"
	"runtime"
	"sort"
	"strings"
)

func main() {
	r, err := zip.OpenReader(filepath.Join(runtime.GOROOT(), "lib", "time", "zoneinfo.zip"))
	if err != nil {
		log.Fatal(err)
	}
	sort.Slice(r.File, func(i, j int) bool { return r.File[i].Name < r.File[j].Name })
	var out bytes.Buffer
	z, err := gzip.NewWriterLevel(&out, gzip.BestCompression)
	if err != nil {
		log.Fatal(err)
	}
	for _, f := range r.File {
		if strings.HasSuffix(f.Name, "/") {
			continue
		}
		in, err := f.Open()
		if err != nil {
			log.Fatal(err)
		}
		data, err := io.ReadAll(in)
		if err != nil {
			log.Fatal(err)
		}
		fmt.Fprintf(z, "%s\n%d\n%s\n", f.Name, len(data), data)
	}
	if err := z.Close(); err != nil {
		log.Fatal(err)
	}
	if err := os.WriteFile("zoneinfo.gz", out.Bytes(), 0o644); err != nil {
		log.Fatal(err)
	}
}
