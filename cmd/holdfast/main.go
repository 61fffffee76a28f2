// Holdfast replicates a GoToSocial instance to object storage and rebuilds it
// from there.
package main

import "os"

func main() {
	a := &app{in: os.Stdin, out: os.Stdout, err: os.Stderr}
	os.Exit(a.main(os.Args[1:]))
}
