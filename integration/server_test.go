package integration_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"

	"holdfast/instance/sample"
	"holdfast/internal/testkit"
)

// server is another process that has the database of a sample open and writes
// to the database.
type server struct {
	*testkit.Process
	t            *testing.T
	transactions int           // committed so far
	writing      time.Duration // time spent on the transactions
}

// startServer starts a server that does not write yet.
func startServer(t *testing.T, s *sample.Instance) *server {
	t.Helper()
	text, err := json.Marshal(s)
	testkit.OK(t, err)
	cmd := testkit.Role("server", string(text))
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	srv := &server{t: t, Process: testkit.Start(t, cmd)}
	// The server competes with the program for the processors, and must not lose.
	// Without the right to a higher priority both compete as equals.
	_ = syscall.Setpriority(syscall.PRIO_PGRP, srv.Cmd.Process.Pid, -10)
	srv.answer()
	return srv
}

// busy makes the server write as fast as possible.
func (s *server) busy() { s.say("busy") }

// calm makes the server commit some transactions twenty times a second.
func (s *server) calm() { s.say("calm") }

// pause makes the server stop writing. The database stays open.
func (s *server) pause() { s.say("pause") }

// stop makes the server close the database and end.
func (s *server) stop() {
	s.t.Helper()
	s.pause()
	s.In.Close()
	testkit.OK(s.t, s.Wait())
}

// say sends a word to the server.
func (s *server) say(word string) {
	s.t.Helper()
	_, err := fmt.Fprintln(s.In, word)
	testkit.OK(s.t, err)
	s.answer()
}

// answer reads the count of transactions since the last word, and their time in
// nanoseconds.
func (s *server) answer() {
	s.t.Helper()
	var n int
	var took time.Duration
	line := s.Line()
	if _, err := fmt.Sscan(line, &n, (*int64)(&took)); err != nil {
		s.t.Fatalf("the server says %q", line)
	}
	s.transactions += n
	s.writing += took
}

// rate returns the transactions per second while the server wrote.
func (s *server) rate() float64 { return float64(s.transactions) / s.writing.Seconds() }

// serve runs the server's process. After each word on the input, serve ends the
// work of the word before, answers, and starts the work of the new word.
func serve(args []string) error {
	var inst sample.Instance
	if err := json.Unmarshal([]byte(args[0]), &inst); err != nil {
		return err
	}
	stop, err := inst.Start()
	if err != nil {
		return err
	}
	fmt.Println(0, 0)
	end, began := rest(), time.Now()
	for words := bufio.NewScanner(os.Stdin); words.Scan(); {
		n, err := end()
		if err != nil {
			return err
		}
		if n == 0 {
			began = time.Now() // the server rested
		}
		fmt.Println(n, int64(time.Since(began)))
		began = time.Now()
		switch words.Text() {
		case "busy":
			end = work(func(ctx context.Context) (int, error) { return sample.Write(ctx, inst.Database()) })
		case "calm":
			end = work(func(ctx context.Context) (int, error) { return writeCalmly(ctx, inst.Database()) })
		default:
			end = rest()
		}
	}
	return stop()
}

func rest() (end func() (int, error)) { return func() (int, error) { return 0, nil } }

// work calls write until end is called. end returns the result of write.
func work(write func(context.Context) (int, error)) (end func() (int, error)) {
	ctx, cancel := context.WithCancel(context.Background())
	var writer errgroup.Group
	n := 0
	writer.Go(func() (err error) {
		n, err = write(ctx)
		return err
	})
	return func() (int, error) {
		cancel()
		err := writer.Wait()
		return n, err
	}
}

// writeCalmly commits a transaction or two, twenty times a second.
func writeCalmly(ctx context.Context, database string) (transactions int, err error) {
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		burst, cancel := context.WithTimeout(ctx, time.Millisecond)
		n, err := sample.Write(burst, database)
		cancel()
		transactions += n
		if err != nil {
			return transactions, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return transactions, nil
		}
	}
}
