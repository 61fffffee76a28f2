package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"holdfast/agent"
	"holdfast/instance/sample"
	"holdfast/manifest"
)

// sampleMain is a program for scripts:
//
//	sample make DIR           makes a small instance
//	sample night DIR N        ages it by its Nth day
//	sample lose DIR           deletes a local media file and prints its key
//	sample compare DIR OUT    compares local media and database with a restore
//	sample packs REMOTE PART  prints the files of the packs of the newest snapshot in a folder
//	sample locked STATE PROGRAM [ARG]...    runs it while STATE is locked
//	sample interrupt WORD PROGRAM [ARG]...  runs it until it prints WORD, as Ctrl-C does
func sampleMain() {
	if err := runSample(os.Args[1], os.Args[2], os.Args[3:]); err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			os.Exit(exit.ExitCode())
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func runSample(command, dir string, args []string) error {
	switch command {
	case "make":
		inst, err := sample.Make(dir, sample.Config{Accounts: 20, Statuses: 200, Media: 4, MediaBytes: 8 << 10})
		if err != nil {
			return err
		}
		text, err := json.Marshal(inst)
		if err != nil {
			return err
		}
		return os.WriteFile(dir+".json", text, 0o600)
	case "packs":
		return printPacks(dir, manifest.Part(args[0]))
	case "interrupt":
		return interrupt(dir, exec.Command(args[0], args[1:]...))
	case "locked":
		unlock, err := agent.Home{State: dir}.Lock("backup")
		if err != nil {
			return err
		}
		defer unlock()
		cmd := exec.Command(args[0], args[1:]...)
		cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
		return cmd.Run()
	}
	text, err := os.ReadFile(dir + ".json")
	if err != nil {
		return err
	}
	var inst sample.Instance
	if err := json.Unmarshal(text, &inst); err != nil {
		return err
	}
	local, err := inst.LocalMedia()
	if err != nil {
		return err
	}
	switch command {
	case "night":
		n, err := strconv.Atoi(args[0])
		if err != nil {
			return err
		}
		return inst.Night(n)
	case "lose":
		key := slices.Sorted(maps.Keys(local))[0]
		fmt.Println(key)
		return os.Remove(filepath.Join(inst.Storage(), key))
	case "compare":
		_, err := sample.SamePages(inst.Database(), filepath.Join(args[0], "sqlite.db"))
		return errors.Join(err, sample.SameMedia(local, filepath.Join(args[0], "storage")))
	}
	return fmt.Errorf("sample: unknown command %q", command)
}

func printPacks(remote string, part manifest.Part) error {
	records, err := filepath.Glob(filepath.Join(remote, "snapshots", "*"))
	if err != nil {
		return err
	}
	newest := &manifest.Record{}
	for _, file := range records {
		text, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		rec, err := manifest.ParseRecord(text)
		if err != nil {
			return err
		}
		if rec.Sequence > newest.Sequence {
			newest = rec
		}
	}
	for _, p := range newest.Packs[part] {
		fmt.Println(filepath.Join(remote, p.Object()))
	}
	return nil
}

// interrupt sends SIGINT as soon as the program's errors say word.
func interrupt(word string, cmd *exec.Cmd) error {
	cmd.Stdout = os.Stdout
	errors, err := cmd.StderrPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	lines := bufio.NewScanner(errors)
	for lines.Scan() {
		fmt.Fprintln(os.Stderr, lines.Text())
		if strings.Contains(lines.Text(), word) {
			if err := cmd.Process.Signal(os.Interrupt); err != nil {
				return err
			}
		}
	}
	return cmd.Wait()
}
