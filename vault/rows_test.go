package vault_test

import (
	"bytes"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"

	"holdfast/internal/testkit"
	"holdfast/manifest"
	"holdfast/vault"
)

// tables is an instance whose database is streams of rows.
func tables(rows int) *fake {
	f := newFake(0)
	f.streams = map[string][]byte{"pre-data.sql": []byte("CREATE TABLE a;\n"), "public.empty.copy": nil}
	for n, name := range []string{"a", "b", "c"} {
		var b bytes.Buffer
		for i := range rows {
			fmt.Fprintf(&b, "%08d\t%s\n", i, text(uint64(n*rows+i), 200))
		}
		f.streams["public."+name+".copy"] = b.Bytes()
	}
	f.add("01A/attachment/original/M.jpeg", noise(1, 9000))
	return f
}

func TestStreamsComeBack(t *testing.T) {
	w := newWorld(t, tables(3000))
	first := w.backup().Record
	want := w.src.image()
	w.check("latest", want)
	if total := first.Parts[manifest.Database]; total.Files != 5 || total.Bytes < 1_800_000 {
		t.Errorf("%+v", total)
	}

	// A row that goes moves all that follow.
	data := w.src.streams["public.b.copy"]
	w.src.streams["public.b.copy"] = append(bytes.Clone(data[:1000*210]), data[1001*210:]...)
	second := w.backup().Record
	w.check("latest", w.src.image())
	w.check(first.ID(), want)
	if second.Stored > 80_000 {
		t.Errorf("a row less stored %d bytes", second.Stored)
	}
	if p := w.verify(1).Problems; len(p) > 0 {
		t.Error(p)
	}
}

func TestUnchangedStreamsStoreNothing(t *testing.T) {
	w := newWorld(t, tables(3000))
	w.backup()
	report := w.backup()
	if report.Packs != 0 || report.Record.Stored != 0 {
		t.Errorf("%d packs, %d bytes stored", report.Packs, report.Record.Stored)
	}
	w.check("latest", w.src.image())
}

// A stream in so many pieces that a line can't hold them all.
func TestLongStreamNeedsSeveralExtentLines(t *testing.T) {
	w := newWorld(t, tables(3))
	data := text(7, 100<<20)
	w.src.streams["public.long.copy"] = data
	w.backup()
	changed := bytes.Clone(data)
	r := rand.New(rand.NewPCG(1, 1))
	for at := 0; at < len(changed); at += 5000 + r.IntN(20000) {
		changed[at] ^= 1
	}
	w.src.streams["public.long.copy"] = changed
	w.backup()
	s, err := w.snapshot("latest")
	testkit.OK(t, err)
	extents, lines := 0, 0
	for line, err := range s.Lines(t.Context()) {
		testkit.OK(t, err)
		if line.Extents != nil {
			extents += len(line.Extents.More)
			lines++
		}
	}
	if lines < 2 || extents <= manifest.MaxExtents {
		t.Errorf("%d extents in %d lines: the test is too small", extents, lines)
	}
	t.Logf("%d extents in %d lines", extents, lines)
	w.check("latest", w.src.image())
	var kinds []string
	a, err := w.snapshot(w.open().Head().ID())
	testkit.OK(t, err)
	for c, err := range vault.Diff(t.Context(), a, s) {
		testkit.OK(t, err)
		kinds = append(kinds, c.Kind)
	}
	if len(kinds) > 0 {
		t.Errorf("against itself: %v", kinds)
	}
}

func TestFullSpoolEndsTheTransactionOfStreams(t *testing.T) {
	w := newWorld(t, tables(3))
	// It doesn't shrink, so that packs are full.
	for i := range 4 {
		w.src.streams[fmt.Sprintf("public.noise%d.copy", i)] = noise(uint64(100+i), 30<<20)
	}
	w.cfg = vault.BackupConfig{Spool: 40 << 20}
	views := 0
	w.src.onView = func() { views++ }
	w.holdPacks()
	report := w.backup()
	if report.Passes < 2 || views != report.Passes {
		t.Errorf("%d passes, %d views", report.Passes, views)
	}
	t.Logf("%d passes", report.Passes)
	w.check("latest", w.src.image())
}

func TestBrokenStreamPutsNoRecord(t *testing.T) {
	w := newWorld(t, tables(3000))
	w.backup()
	before := w.open().Head().ID()
	w.src.broken = map[string]error{"public.b.copy": errors.New("the table is gone")}
	if _, err := w.try(t.Context()); !errors.Is(err, vault.ErrSource) {
		t.Errorf("%v", err)
	}
	if after := w.open().Head().ID(); after != before {
		t.Error("a record was put")
	}
	w.src.broken = nil
	maps.DeleteFunc(w.src.streams, func(p string, _ []byte) bool { return p == "public.c.copy" })
	w.backup()
	w.check("latest", w.src.image())
}
