package box

import (
	"archive/zip"
	"bytes"
	"encoding/xml"
	"io"
	"net/http"
	"path"
	"strconv"
	"strings"

	"github.com/workfs/workfs/backends/sim/core"
)

// representation is the state of the extracted text of one version. A version without one is in state "none", which
// changes only when its info URL is asked for.
type representation struct {
	state string // pending, success, error
	code  string // of an error
	text  []byte
}

const extractedText = "extracted_text"

// hasText says whether Box extracts text from a file of that name.
func hasText(name string) bool {
	switch strings.ToLower(path.Ext(name)) {
	case ".docx", ".xlsx", ".pptx", ".pdf", ".rtf", ".html", ".xml", ".csv", ".txt", ".md", ".json", ".msg", ".odt", ".boxnote",
		".gdoc", ".gsheet", ".gslide", ".go", ".py", ".js":
		return true
	}
	return false
}

// representations is the field of that name. Only extracted_text is known; details come only with a hint for it.
func (c *call) representations(it *item) object {
	if !hasText(it.name) {
		return object{{"entries", []object{}}}
	}
	v := it.current()
	hint := strings.Contains(c.Header.Get("X-Rep-Hints"), "["+extractedText+"]")
	return object{{"entries", []object{c.s.showRepresentation(it.num, v.num, hint)}}}
}

func (s *Server) showRepresentation(file, version uint64, detailed bool) object {
	where := "/2.0/internal_files/" + numeral(file) + "/versions/" + numeral(version) + "/representations/" + extractedText
	o := object{
		{"representation", extractedText}, {"properties", object{}}, {"info", object{{"url", s.w.Hosts.BoxAPI + where}}},
	}
	if !detailed {
		return o
	}
	status := object{{"state", "none"}}
	if r := s.store.reps[version]; r != nil {
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
		r := c.s.store.reps[v.num]
		switch {
		case r == nil:
			c.s.store.reps[v.num] = &representation{state: "pending"}
		case r.state == "pending":
			text, err := extract(v)
			if err != nil {
				r.state, r.code = "error", "error_unsupported_format"
			} else {
				r.state, r.text = "success", text
			}
		}
		return c.s.showRepresentation(it.num, v.num, true), nil
	})
}

func (c *call) representationOf() (*item, access, *version, error) {
	it, a, err := c.file()
	if err != nil {
		return nil, a, nil, err
	}
	v, err := c.versionOf(it, c.Param("version"))
	if err != nil || c.Param("rep") != extractedText || !hasText(it.name) {
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
			rep = c.s.store.reps[v.num]
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
		c.W.Header().Set("Content-Type", "text/plain")
		c.W.Header().Set("Content-Length", strconv.Itoa(len(rep.text)))
		c.W.WriteHeader(http.StatusOK)
		_, _ = c.W.Write(rep.text)
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
