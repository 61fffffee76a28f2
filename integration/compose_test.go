package integration_test

import (
	"bufio"
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"holdfast/internal/testkit"
)

// composition is docker-compose.yml, as far as it is asked.
type composition struct {
	Services map[string]struct {
		Image       string            `yaml:"image"`
		Build       string            `yaml:"build"`
		User        string            `yaml:"user"`
		Entrypoint  []string          `yaml:"entrypoint"`
		Init        bool              `yaml:"init"`
		Command     any               `yaml:"command"`
		EnvFile     string            `yaml:"env_file"`
		Environment map[string]string `yaml:"environment"`
		Ports       []string          `yaml:"ports"`
		Secrets     []string          `yaml:"secrets"`
		Volumes     []string          `yaml:"volumes"`
		DependsOn   any               `yaml:"depends_on"`
		Healthcheck any               `yaml:"healthcheck"`
		Restart     string            `yaml:"restart"`
	} `yaml:"services"`
	Volumes map[string]any `yaml:"volumes"`
	Secrets map[string]struct {
		File string `yaml:"file"`
	} `yaml:"secrets"`
}

func parseComposition(t *testing.T) composition {
	t.Helper()
	var c composition
	testkit.OK(t, yaml.NewDecoder(bytes.NewReader(testkit.Read(t, "../docker-compose.yml")), yaml.Strict()).Decode(&c))
	return c
}

func TestHouseComposeFileHoldsTogether(t *testing.T) {
	c := parseComposition(t)
	if got := slices.Sorted(func(yield func(string) bool) {
		for name := range c.Services {
			if !yield(name) {
				return
			}
		}
	}); !slices.Equal(got, []string{"bucket", "gotosocial", "holdfast", "minio", "postgres"}) {
		t.Errorf("services %v", got)
	}
	for name, s := range c.Services {
		if (s.Image == "") == (s.Build == "") {
			t.Errorf("%s has image %q and build %q", name, s.Image, s.Build)
		}
		if _, tag, tagged := strings.Cut(s.Image, ":"); s.Image != "" && (!tagged || tag == "latest") {
			t.Errorf("%s: image %s is not pinned", name, s.Image)
		}
		for _, secret := range s.Secrets {
			if c.Secrets[secret].File == "" {
				t.Errorf("%s: secret %s is not declared", name, secret)
			}
		}
		for _, volume := range s.Volumes {
			from, _, _ := strings.Cut(volume, ":")
			if _, declared := c.Volumes[from]; !declared && !strings.HasPrefix(from, "./") {
				t.Errorf("%s: volume %s is not declared", name, from)
			}
		}
		for key, value := range s.Environment {
			if (strings.Contains(key, "PASSWORD") || strings.Contains(key, "SECRET")) && !strings.HasPrefix(value, "/run/secrets/") {
				t.Errorf("%s: %s stands in the file", name, key)
			}
		}
		for _, port := range s.Ports {
			if !strings.HasPrefix(port, "127.0.0.1:") {
				t.Errorf("%s: port %s is open to everybody", name, port)
			}
		}
	}
	for name, secret := range c.Secrets {
		if ignored := string(testkit.Read(t, "../.gitignore")); !strings.Contains(ignored, filepath.Dir(secret.File)) {
			t.Errorf("git does not ignore secret %s in %s", name, secret.File)
		}
	}
}

// Holdfast must see the storage where the settings say that it is, and pg_dump
// must not be older than the server.
func TestHouseHoldfastSeesGoToSocialsFiles(t *testing.T) {
	c := parseComposition(t)
	settings := map[string]string{}
	for lines := bufio.NewScanner(bytes.NewReader(testkit.Read(t, "../compose/gotosocial.env.example"))); lines.Scan(); {
		key, value, _ := strings.Cut(lines.Text(), "=")
		settings[key] = value
	}
	storage := settings["GTS_STORAGE_LOCAL_BASE_PATH"]
	ours, theirs := c.Services["holdfast"], c.Services["gotosocial"]
	if !slices.Contains(theirs.Volumes, "storage:"+storage) || !slices.Contains(ours.Volumes, "storage:"+storage+":ro") {
		t.Errorf("storage %s is mounted as %v and %v", storage, theirs.Volumes, ours.Volumes)
	}
	if !slices.Contains(ours.Volumes, "./"+theirs.EnvFile+":/etc/gotosocial.env:ro") {
		t.Errorf("the settings %s are not mounted: %v", theirs.EnvFile, ours.Volumes)
	}
	if ours.User != theirs.User {
		t.Errorf("users %q and %q", ours.User, theirs.User)
	}
	if c.Services["postgres"].Environment["POSTGRES_USER"] != settings["GTS_DB_USER"] || c.Services["postgres"].Environment["POSTGRES_DB"] != settings["GTS_DB_DATABASE"] || settings["GTS_DB_ADDRESS"] != "postgres" {
		t.Error("GoToSocial looks for another database than PostgreSQL has")
	}

	stages := dockerfile(t)
	if last := stages[len(stages)-1]; last.from != c.Services["postgres"].Image {
		t.Errorf("the image is built on %s, the server is %s", last.from, c.Services["postgres"].Image)
	}
}

// The block of compose/README.md makes every file that docker-compose.yml reads.
func TestComposeReadmeMakesEveryFile(t *testing.T) {
	dir := t.TempDir()
	testkit.Write(t, filepath.Join(dir, "gotosocial.env.example"), testkit.Read(t, "../compose/gotosocial.env.example"))
	block := regexp.MustCompile("(?ms)^```sh\n(.*?)^```$").FindSubmatch(testkit.Read(t, "../compose/README.md"))
	if block == nil {
		t.Fatal("compose/README.md has no sh block")
	}
	cmd := exec.CommandContext(t.Context(), "sh", "-eu", "-c", string(block[1]))
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	files := []string{"compose/gotosocial.env"}
	for _, secret := range parseComposition(t).Secrets {
		files = append(files, secret.File)
	}
	for _, file := range files {
		info, err := os.Stat(filepath.Join(dir, strings.TrimPrefix(file, "compose/")))
		testkit.OK(t, err)
		if info.Size() == 0 || info.Mode().Perm() != 0o600 {
			t.Errorf("%s has %d bytes and mode %v", file, info.Size(), info.Mode())
		}
	}
	settings := string(testkit.Read(t, filepath.Join(dir, "gotosocial.env")))
	password := string(testkit.Read(t, filepath.Join(dir, "secrets", "db-password")))
	for _, line := range []string{"GTS_DB_PASSWORD=" + strings.TrimSpace(password), "GTS_HOST=social.example.org"} {
		if !strings.Contains(settings, line+"\n") {
			t.Errorf("the settings lack %s:\n%s", line, settings)
		}
	}
}

// stage is one of a Dockerfile.
type stage struct {
	from, name   string
	instructions [][2]string
}

// dockerfile parses the Dockerfile: one instruction a line.
func dockerfile(t *testing.T) (stages []stage) {
	t.Helper()
	for line := range strings.Lines(string(testkit.Read(t, "../Dockerfile"))) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		word, rest, _ := strings.Cut(line, " ")
		if word == "FROM" {
			from, name, _ := strings.Cut(rest, " AS ")
			stages = append(stages, stage{from: from, name: name})
			continue
		}
		if len(stages) == 0 {
			t.Fatalf("%s before FROM", word)
		}
		last := &stages[len(stages)-1]
		last.instructions = append(last.instructions, [2]string{word, rest})
	}
	return stages
}

func TestHouseDockerfileBuildsWhatIsHere(t *testing.T) {
	stages := dockerfile(t)
	known := map[string]bool{}
	text := string(testkit.Read(t, "../Dockerfile"))
	for _, s := range stages {
		for _, i := range s.instructions {
			switch i[0] {
			case "COPY":
				from, rest, staged := strings.Cut(strings.TrimPrefix(i[1], "--from="), " ")
				if strings.HasPrefix(i[1], "--from=") {
					if !staged || !known[from] {
						t.Errorf("COPY %s: no such stage", i[1])
					}
					continue
				}
				words := strings.Fields(from + " " + rest)
				for _, path := range words[:len(words)-1] {
					if _, err := os.Stat(filepath.Join("..", path)); err != nil {
						t.Errorf("COPY: %v", err)
					}
				}
			case "RUN", "WORKDIR", "ENV", "VOLUME", "USER", "ENTRYPOINT":
			default:
				t.Errorf("instruction %s", i[0])
			}
		}
		known[s.name] = true
	}
	version := goVersion(t)
	if !strings.Contains(text, "golang:"+version) {
		t.Errorf("the Dockerfile builds with another Go than %s", version)
	}
	if last := stages[len(stages)-1]; !slices.Contains(last.instructions, [2]string{"USER", "1000:1000"}) {
		t.Error("it runs as root")
	}
}

// goVersion is that of go.mod, without its last part.
func goVersion(t *testing.T) string {
	t.Helper()
	for line := range strings.Lines(string(testkit.Read(t, "../go.mod"))) {
		if version, found := strings.CutPrefix(strings.TrimSpace(line), "go "); found {
			return version[:strings.LastIndex(version, ".")]
		}
	}
	t.Fatal("go.mod names no version")
	return ""
}
