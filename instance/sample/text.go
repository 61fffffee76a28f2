package sample

import (
	"math/rand/v2"
	"strings"
)

// text writes sentences. Some words are far more common than others, so the
// sentences compress like a real language.
type text struct {
	words []string
	next  *rand.Zipf
}

func newText(rnd *rand.Rand) *text {
	words := vocabulary()
	return &text{words, rand.NewZipf(rnd, 1.1, 6, uint64(len(words)-1))}
}

// vocabulary returns all words of three syllables, about 3,000, in a fixed random
// order.
func vocabulary() []string {
	heads := strings.Fields("ba cre do fi glu ha jo ki lu me no pra que ri so tu")
	hearts := strings.Fields("l ma nd re st ti v z mbe rr sho nka")
	tails := strings.Fields("a en is o um ar eth y ing el ot us e ia ov an")
	var words []string
	for _, head := range heads {
		for _, heart := range hearts {
			for _, tail := range tails {
				words = append(words, head+heart+tail)
			}
		}
	}
	// The seed is the same for all samples: all speak one language.
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
	return words
}

// sentence returns n words.
func (t *text) sentence(n int) string {
	var b strings.Builder
	for i := range n {
		if i > 0 {
			b.WriteByte(' ')
		}
		b.WriteString(t.words[t.next.Uint64()])
	}
	return b.String()
}
