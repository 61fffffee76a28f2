package pack_test

import (
	"bytes"
	"fmt"
	"log"

	"holdfast/pack"
	"holdfast/seal"
)

// A file's line in the listing holds the extent [7, 12, 20]: 20 bytes at offset
// 12 of the decompressed bytes of pack 7. The record holds the name and the size
// of pack 7. The bytes count once Close has returned nil.
func ExampleReader() {
	sealed, opener := newPack("other bytes ", "the bytes of a file ", "more")

	r, err := pack.NewReader()
	if err != nil {
		log.Fatal(err)
	}
	if err := r.Open(bytes.NewReader(sealed.Bytes), sealed.Name, int64(len(sealed.Bytes)), opener); err != nil {
		log.Fatal(err)
	}
	if err := r.Skip(12); err != nil {
		log.Fatal(err)
	}
	chunk := make([]byte, 20)
	if err := r.ReadFull(chunk); err != nil {
		log.Fatal(err)
	}
	if err := r.Close(); err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%q\n", chunk)
	// Output: "the bytes of a file "
}

// newPack seals chunks into a pack of a new repository.
func newPack(chunks ...string) (pack.Sealed, *seal.Opener) {
	keys, err := seal.NewKeys()
	if err != nil {
		log.Fatal(err)
	}
	host, err := keys.Certify("example.org", 1, "")
	if err != nil {
		log.Fatal(err)
	}
	sealer, err := seal.NewSealer(host.Recipient)
	if err != nil {
		log.Fatal(err)
	}
	w, err := pack.NewWriter(sealer, pack.Fast)
	if err != nil {
		log.Fatal(err)
	}
	if err := w.Start(make([]byte, 0, pack.Size)); err != nil {
		log.Fatal(err)
	}
	for _, c := range chunks {
		if _, err := w.Add([]byte(c)); err != nil {
			log.Fatal(err)
		}
	}
	sealed, err := w.Finish()
	if err != nil {
		log.Fatal(err)
	}
	opener, err := keys.Opener()
	if err != nil {
		log.Fatal(err)
	}
	return sealed, opener
}
