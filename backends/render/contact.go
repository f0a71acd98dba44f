package render

import "errors"

// ContactVCF gives a contact as a vCard 4.0 (RFC 6350).
func ContactVCF(raw []byte) ([]byte, error) { return nil, errors.New("render: not rendered yet") }
