package graph

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"

	"github.com/go-json-experiment/json/jsontext"
)

// pageBody is a page as the service sends it. It is decoded in one pass that checks the JSON and finds where the elements
// are: pages of mail are large, and their elements are decoded elsewhere. jsontext, which is to be part of the standard
// library, does that several times faster than encoding/json, and the same JSON is valid.
type pageBody struct {
	Value       []json.RawMessage
	Count       *int64
	Next, Delta string
}

// DecodeJSON implements rest.Decoder. The elements are in one copy of data.
func (p *pageBody) DecodeJSON(data []byte) error {
	*p = pageBody{}
	d := pageDecoder{data: bytes.Clone(data)}
	d.Decoder = jsontext.NewDecoder(bytes.NewBuffer(d.data), jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))
	if err := d.page(p); err != nil {
		return err
	}
	if err := d.end(); err != nil {
		return err
	}
	return d.mismatch
}

type pageDecoder struct {
	*jsontext.Decoder
	data     []byte
	mismatch error // the first value of a wrong type; malformed JSON counts before it
}

func (d *pageDecoder) page(p *pageBody) error {
	if d.PeekKind() != '{' {
		return d.member(&struct{}{})
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	for d.PeekKind() != '}' {
		name, err := d.ReadToken()
		if err != nil {
			return err
		}
		switch name.String() {
		case "value":
			err = d.elements(&p.Value)
		case "@odata.count":
			err = d.member(&p.Count)
		case "@odata.nextLink":
			err = d.member(&p.Next)
		case "@odata.deltaLink":
			err = d.member(&p.Delta)
		default:
			err = d.SkipValue()
		}
		if err != nil {
			return err
		}
	}
	_, err := d.ReadToken()
	return err
}

// member decodes the next value.
func (d *pageDecoder) member(into any) error {
	raw, err := d.ReadValue()
	if err != nil {
		return err
	}
	if err := json.Unmarshal(raw, into); err != nil && d.mismatch == nil {
		d.mismatch = err
	}
	return nil
}

// elements finds the elements of the next value.
func (d *pageDecoder) elements(into *[]json.RawMessage) error {
	if d.PeekKind() != '[' {
		return d.member(into)
	}
	if _, err := d.ReadToken(); err != nil {
		return err
	}
	values := []json.RawMessage{}
	for d.PeekKind() != ']' {
		raw, err := d.ReadValue()
		if err != nil {
			return err
		}
		to := d.InputOffset()
		values = append(values, d.data[to-int64(len(raw)):to:to])
	}
	*into = values
	_, err := d.ReadToken()
	return err
}

// end sees to it that nothing follows.
func (d *pageDecoder) end() error {
	switch _, err := d.ReadToken(); err {
	case io.EOF:
		return nil
	case nil:
		return errors.New("something follows the answer")
	default:
		return err
	}
}
