package box

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"io"
	"net/http"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/workfs/workfs/backends/sim/company"
	"github.com/workfs/workfs/backends/sim/core"
)

// representation is the state of one representation of a version. One that nobody asked for is in state "none", which
// changes only when its info URL is asked for.
type representation struct {
	state   string // pending, success, error
	code    string // of an error
	content []byte
}

type repKey struct {
	version uint64
	name    string // as in addresses
}

// Representations that are known, by their names in addresses.
const (
	extractedText = "extracted_text"
	pagedPicture  = "png_paged_1024x1024"
)

// textual says whether Box extracts text from a file of that name.
func textual(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".docx", ".xlsx", ".pptx", ".pdf", ".rtf", ".html", ".xml", ".csv", ".txt", ".md", ".json", ".msg", ".odt", ".boxnote",
		".gdoc", ".gsheet", ".gslide", ".go", ".py", ".js":
		return true
	}
	return false
}

// represented lists the representations that a file of that name can have.
func represented(name string) (all []string) {
	if textual(name) {
		all = append(all, extractedText)
	}
	switch strings.ToLower(path.Ext(name)) {
	case ".docx", ".xlsx", ".pptx", ".pdf", ".png":
		all = append(all, pagedPicture)
	}
	return all
}

// representations is the field of that name: all there can be without details, or those that the hints name with them.
func (c *call) representations(it *item) object {
	hints := c.Header.Get("X-Rep-Hints")
	entries := []object{}
	for _, rep := range represented(it.name) {
		kind, _, _ := strings.Cut(rep, "_paged_")
		if hints == "" || strings.Contains(hints, "["+kind+"]") || strings.Contains(hints, "["+kind+"?") {
			entries = append(entries, c.s.showRepresentation(it.num, it.current().num, rep, hints != ""))
		}
	}
	return object{{"entries", entries}}
}

func (s *Server) showRepresentation(file, version uint64, rep string, detailed bool) object {
	where := "/2.0/internal_files/" + numeral(file) + "/versions/" + numeral(version) + "/representations/" + rep
	kind, size, paged := strings.Cut(rep, "_paged_")
	properties := object{}
	if paged {
		// All of these are texts, the truth values too.
		properties = object{{"dimensions", size}, {"paged", "true"}, {"thumb", "false"}}
	}
	o := object{
		{"representation", kind}, {"properties", properties}, {"info", object{{"url", s.w.Hosts.BoxAPI + where}}},
	}
	if !detailed {
		return o
	}
	status := object{{"state", "none"}}
	if r := s.store.reps[repKey{version, rep}]; r != nil {
		status[0].val = r.state
		if r.code != "" {
			status = append(status, member{"code", r.code})
		}
	}
	return append(o, member{"status", status},
		member{"content", object{{"url_template", s.w.Hosts.BoxDownload + "/api" + where + "/content/{+asset_path}"}}})
}

// representationInfo is the info URL: the first request starts the work, the next finds it done.
func (c *call) representationInfo() error {
	return c.writing(http.StatusOK, func() (any, error) {
		it, a, v, err := c.representationOf()
		if err != nil {
			return nil, err
		}
		if !can(a.role, "preview") {
			return nil, errForbidden()
		}
		c.s.store.visit(c.v.user, it, "item_preview", c.now)
		key := repKey{v.num, c.Param("rep")}
		r := c.s.store.reps[key]
		switch {
		case r == nil:
			c.s.store.reps[key] = &representation{state: "pending"}
		case r.state == "pending":
			var err error
			if key.name == pagedPicture {
				r.content = company.PNG(1024, 1024, uint32(v.num))
			} else {
				r.content, err = extract(v)
			}
			r.state = "success"
			if err != nil {
				r.state, r.code = "error", "error_unsupported_format"
			}
		}
		return c.s.showRepresentation(it.num, v.num, key.name, true), nil
	})
}

func (c *call) representationOf() (*item, access, *version, error) {
	it, a, err := c.file()
	if err != nil {
		return nil, a, nil, err
	}
	v, err := c.versionOf(it, c.Param("version"))
	if err != nil || !slices.Contains(represented(it.name), c.Param("rep")) {
		return nil, a, nil, fail(http.StatusNotFound, "not_found", "Not Found")
	}
	return it, a, v, nil
}

// representationContent is on the download host but, unlike file contents, wants the access token.
func (s *Server) representationContent(r *core.Request) {
	s.serve(r, scopeRead, func(c *call) error {
		c.s.store.mu.RLock()
		_, a, v, err := c.representationOf()
		var rep *representation
		if err == nil {
			rep = c.s.store.reps[repKey{v.num, c.Param("rep")}]
		}
		ready := rep != nil && rep.state == "success"
		c.s.store.mu.RUnlock()
		switch {
		case err != nil:
			return err
		case !can(a.role, "preview"):
			return errForbidden()
		case !ready:
			c.W.Header().Set("Retry-After", "1")
			c.W.WriteHeader(http.StatusAccepted)
			return nil
		}
		media := "text/plain"
		if c.Param("rep") == pagedPicture {
			media = "image/png"
			// Every file has one page here.
			if c.Param("asset") != "1.png" {
				return fail(http.StatusNotFound, "not_found", "Not Found")
			}
		}
		c.W.Header().Set("Content-Type", media)
		c.W.Header().Set("Content-Length", strconv.Itoa(len(rep.content)))
		c.W.WriteHeader(http.StatusOK)
		_, _ = c.W.Write(rep.content)
		return nil
	})
}

// longestExtract bounds what is read of a file for its text.
const longestExtract = 8 << 20

// extract gives the words of a version: the character data of office packages, the shown strings of simple PDF, plain
// text as it is.
func extract(v *version) ([]byte, error) {
	r, err := v.content.open()
	if err != nil {
		return nil, err
	}
	defer r.Close()
	data, err := io.ReadAll(io.LimitReader(r, longestExtract))
	if err != nil {
		return nil, err
	}
	switch strings.ToLower(path.Ext(v.name)) {
	case ".docx", ".xlsx", ".pptx", ".odt":
		return packageText(data)
	case ".pdf":
		return pdfText(data), nil
	}
	return data, nil
}

func packageText(data []byte) ([]byte, error) {
	z, err := zip.NewReader(bytes.NewReader(data), int64(len(data)))
	if err != nil {
		return nil, err
	}
	var out bytes.Buffer
	for _, f := range z.File {
		if !strings.HasPrefix(f.Name, "word/document") && !strings.HasPrefix(f.Name, "xl/worksheets/") {
			continue
		}
		r, err := f.Open()
		if err != nil {
			return nil, err
		}
		d := xml.NewDecoder(io.LimitReader(r, longestExtract))
		for {
			t, err := d.Token()
			if err != nil {
				break
			}
			switch t := t.(type) {
			case xml.CharData:
				out.Write(t)
			case xml.EndElement:
				switch t.Name.Local {
				case "p", "row":
					out.WriteByte('\n')
				case "c":
					out.WriteByte('\t')
				}
			}
		}
		_ = r.Close()
	}
	return out.Bytes(), nil
}

func pdfText(data []byte) []byte {
	var out bytes.Buffer
	for _, line := range bytes.Split(data, []byte(") Tj")) {
		if i := bytes.LastIndex(line, []byte(" (")); i >= 0 {
			out.Write(line[i+2:])
			out.WriteByte('\n')
		}
	}
	return out.Bytes()
}
