package manifest_test

import (
	"fmt"
	"log"
	"os"

	"holdfast/manifest"
)

// A program reads a listing from front to back. Map lines and extent lines belong
// to the file before.
func ExampleLines() {
	listing, err := os.Open("testdata/listing-1")
	if err != nil {
		log.Fatal(err)
	}
	defer listing.Close()
	for line, err := range manifest.Lines(listing) {
		if err != nil {
			log.Fatal(err)
		}
		switch {
		case line.File != nil && line.File.Link != "":
			fmt.Println(line.File.Path, "leads to", line.File.Link)
		case line.File != nil && line.File.Missing:
			fmt.Println(line.File.Path, "was missing")
		case line.File != nil:
			fmt.Println(line.File.Path, line.File.Size, "bytes", line.File.Extents)
		case line.Extents != nil:
			fmt.Println("  extents", line.Extents.More)
		case line.Map != nil:
			fmt.Printf("  pages of segment %d: %+v\n", line.Map.Segment, line.Map.Runs)
		}
	}
	// Output:
	// public.statuses.copy 12 bytes []
	//   extents [{3 0 5} {9 812 7}]
	// sqlite.db 40960 bytes []
	//   pages of segment 0: [{Pack:1 Offset:0 Steps:[0 0 10]}]
	// etc/letsencrypt/archive/example.org/cert1.pem 5 bytes [{2 0 5}]
	// etc/letsencrypt/live/example.org/cert.pem leads to ../../archive/example.org/cert1.pem
	// 01A/attachment/original/01B.jpeg 12 bytes [{4 9 12}]
	// 01B/gone.webp was missing
}
