package sample

import (
	"math/rand/v2"
	"strings"
)

// text writes sentences whose words are as unevenly common as those of a real
// language, so that they compress like one.
type text struct {
	words []string
	next  *rand.Zipf
}

func newText(rnd *rand.Rand) *text {
	words := vocabulary()
	return &text{words, rand.NewZipf(rnd, 1.1, 6, uint64(len(words)-1))}
}

// vocabulary is every word of three syllables, in an order that puts no
// syllable first: about 3,000 of them.
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
	// Not the sample's own seed: all samples speak one language.
	rand.New(rand.NewPCG(1, 1)).Shuffle(len(words), func(i, j int) { words[i], words[j] = words[j], words[i] })
	return words
}

// sentence is n words.
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
