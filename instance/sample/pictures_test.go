package sample

import (
	"math/rand/v2"
	"testing"
)

func TestLargestPictureStaysBelow8MiB(t *testing.T) {
	t.Parallel()
	for kind := range bytesPerPixel {
		rnd := rand.New(rand.NewPCG(1, 1))
		width, height := dimensions(rnd, 1<<30, kind)
		if n := len(encode(paint(rnd, width, height), kind)); n > 8<<20 || n < 4<<20 {
			t.Errorf("the largest %s has %d bytes", kind, n)
		}
	}
}
