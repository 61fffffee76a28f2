package gotosocialtest

import (
	"bytes"
	"io"
	"mime/multipart"
)

// form is a form with fields and pictures.
type form struct {
	fields   [][2]string // name and value
	pictures []picture
}

type picture struct {
	field string
	bytes []byte
}

func (f *form) set(name, value string) *form {
	f.fields = append(f.fields, [2]string{name, value})
	return f
}

func (f *form) attach(name string, bytes []byte) *form {
	f.pictures = append(f.pictures, picture{name, bytes})
	return f
}

// encode returns the form and its content type.
func (f *form) encode() (body io.Reader, kind string, err error) {
	var text bytes.Buffer
	w := multipart.NewWriter(&text)
	for _, field := range f.fields {
		if err := w.WriteField(field[0], field[1]); err != nil {
			return nil, "", err
		}
	}
	for _, p := range f.pictures {
		part, err := w.CreateFormFile(p.field, "picture.png")
		if err != nil {
			return nil, "", err
		}
		if _, err := part.Write(p.bytes); err != nil {
			return nil, "", err
		}
	}
	return &text, w.FormDataContentType(), w.Close()
}
