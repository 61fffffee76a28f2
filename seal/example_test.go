package seal_test

import (
	"bytes"
	"fmt"
	"io"
	"log"
	"os"

	"holdfast/seal"
)

// An owner's identity opens a key object, and the key object opens every pack. The
// identity file pins the repository of the key object.
func ExampleOpener() {
	file, err := os.Open("testdata/key-1.identity")
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	identities, repository, err := seal.ReadIdentities(file, nil)
	if err != nil {
		log.Fatal(err)
	}
	object, err := os.ReadFile("testdata/key-1")
	if err != nil {
		log.Fatal(err)
	}
	keys, err := seal.OpenKeys(object, repository, identities)
	if err != nil {
		log.Fatal(err)
	}
	opener, err := keys.Opener()
	if err != nil {
		log.Fatal(err)
	}

	plain, err := opener.Open(bytes.NewReader(sealAsHost(keys, "the payload of a pack")))
	if err != nil {
		log.Fatal(err)
	}
	payload, err := io.ReadAll(plain)
	if err != nil {
		log.Fatal(err)
	}
	fmt.Printf("%s\n", payload)
	// Output: the payload of a pack
}

// sealAsHost seals a payload as a host of the repository does.
func sealAsHost(keys *seal.Keys, payload string) []byte {
	host, err := keys.Certify("example.org", 1, "")
	if err != nil {
		log.Fatal(err)
	}
	sealer, err := seal.NewSealer(host.Recipient)
	if err != nil {
		log.Fatal(err)
	}
	var sealed bytes.Buffer
	w, err := sealer.Seal(&sealed)
	if err != nil {
		log.Fatal(err)
	}
	if _, err := io.WriteString(w, payload); err != nil {
		log.Fatal(err)
	}
	if err := w.Close(); err != nil {
		log.Fatal(err)
	}
	return sealed.Bytes()
}
