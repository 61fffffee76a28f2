package gotosocial_test

import (
	"cmp"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/sirupsen/logrus"

	"holdfast/instance/gotosocial"
	"holdfast/internal/testkit"
	"holdfast/remedy"
)

const start = "ExecStart=/gotosocial/gotosocial server start\n"

// machine is a folder that stands for the root of a server's disk. In its files
// ROOT is that folder.
func machine(t testing.TB, files map[string]string) (root string) {
	t.Helper()
	root = t.TempDir()
	for name, text := range files {
		testkit.Write(t, filepath.Join(root, name), strings.ReplaceAll(text, "ROOT", root))
	}
	return root
}

// service is a machine with a unit whose [Service] section is text.
func service(t testing.TB, text string) (unit string) {
	t.Helper()
	return machine(t, map[string]string{"etc/systemd/system/gotosocial.service": "[Service]\n" + text}) +
		"/etc/systemd/system/gotosocial.service"
}

func config(t testing.TB, s gotosocial.Server) *gotosocial.Config {
	t.Helper()
	c, err := s.Config()
	testkit.OK(t, err)
	return c
}

// set are the settings that aren't defaults, and where they come from.
func set(c *gotosocial.Config) (values, from map[string]string) {
	values, from = map[string]string{}, map[string]string{}
	for _, s := range c.Settings() {
		if s.Origin.Kind != gotosocial.FromDefault {
			values[s.Key], from[s.Key] = s.Value, s.From()
		}
	}
	return values, from
}

// What systemd 252 itself makes of these lines, by its --test.
func TestUnitsAreReadAsSystemdReadsThem(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       map[string]string
		warns      bool
	}{
		{"words", `Environment="GTS_A=1 2" GTS_B=3	'GTS_C=4 "5"'`, map[string]string{"a": "1 2", "b": "3",
			"c": `4 "5"`}, false},
		{"quotes within", `Environment=GTS_A='one' GTS_B="x"y GTS_C=a'b'c GTS_D=a"b c"d`,
			map[string]string{"a": "one", "b": "xy", "c": "abc", "d": "ab cd"}, false},
		{"escapes", `Environment=GTS_A=\"q\" GTS_B="a\"b" GTS_C='a\'b' GTS_D=a\sb\\ GTS_E=\u00e4\x41\102 'GTS_F=x\ty'`,
			map[string]string{"a": `"q"`, "b": `a"b`, "c": "a'b", "d": `a b\`, "e": "äAB", "f": "x\ty"}, false},
		{"unknown escape ends the line", `Environment=GTS_A=1 GTS_B=a\qb GTS_C=2`, map[string]string{"a": "1"}, true},
		{"open quote ends the line", `Environment=GTS_A=1 "GTS_B=2`, map[string]string{"a": "1"}, true},
		{"no assignment", `Environment=GTS_A=1 GTS_B "GTS C=2" 2GTS=1`, map[string]string{"a": "1"}, false},
		{"no expansion", `Environment=GTS_A=$HOME GTS_B=${GTS_A}`, map[string]string{"a": "$HOME", "b": "${GTS_A}"},
			false},
		{"the last one counts", "Environment=GTS_A=1\nEnvironment=GTS_A=2 GTS_B=1",
			map[string]string{"a": "2", "b": "1"}, false},
		{"an empty line resets", "Environment=GTS_A=1\nEnvironment=\nEnvironment=GTS_B=1",
			map[string]string{"b": "1"}, false},
		{"lines joined over comments", "Environment=GTS_A=1 \\\n# GTS_X=1 \\\n; GTS_Y=1\n GTS_B=2\n# GTS_Z=1 " +
			"\\\nEnvironment=GTS_C=3", map[string]string{"a": "1", "b": "2", "c": "3"}, false},
		{"the join is a blank", "Environment=\"GTS_A=a\\\n  b\" GTS_B=c\\\nd", map[string]string{"a": "a   b",
			"b": "c"}, false},
		{"an empty line ends a join", "Environment=GTS_A=1 \\\n\nEnvironment=GTS_B=1",
			map[string]string{"a": "1", "b": "1"}, false},
		{"nothing joined at the end", `Environment=GTS_A=1\`, map[string]string{"a": "1"}, false},
		{"blanks", "  Environment =  GTS_A=1\tGTS_B=2  ", map[string]string{"a": "1", "b": "2"}, false},
		{"Windows", "Environment=GTS_A=1\r\nEnvironment=GTS_B=2\r\n", map[string]string{"a": "1", "b": "2"}, false},
		{"junk and other sections",
			"junk\nEnvironment=GTS_A=1\n[Unit]\nEnvironment=GTS_B=1\n[X-Service]\nEnvironment=GTS_C=1\n[Service]\n" +
				"Environment=GTS_D=1", map[string]string{"a": "1", "d": "1"}, false},
		{"specifiers", "Environment=GTS_A=50%% GTS_B=%n-%N-%p-%i-%h-%t-%S-%u GTS_C=1% \"GTS_D=% %-\"",
			map[string]string{"d": "% %-", "a": "50%",
				"b": "gotosocial.service-gotosocial-gotosocial--/root-/run-/var/lib-root", "c": "1%"}, false},
		{"unknown specifier", "Environment=GTS_A=%b GTS_B=1", map[string]string{"b": "1"}, true},
		{"unset", "Environment=GTS_A=1 GTS_B=2 GTS_C=3\nUnsetEnvironment=GTS_A GTS_B=x GTS_C=3",
			map[string]string{"b": "2"}, false},
		{"passed on", "PassEnvironment=GTS_DB_PASSWORD", map[string]string{}, true},
		{"empty variable is none", "Environment=GTS_A=", map[string]string{}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := config(t, gotosocial.Server{Unit: service(t, start+c.text)})
			if values, _ := set(got); !maps.Equal(values, c.want) {
				t.Errorf("%q", values)
			}
			if (len(got.Warnings) > 0) != c.warns {
				t.Errorf("warnings %q", got.Warnings)
			}
		})
	}
}

// The command lines of the first seven are what systemd 252 prints for them.
func TestFlagsOverrideVariables(t *testing.T) {
	for _, c := range []struct {
		name, text string
		want       map[string]string
	}{
		{"both forms", "ExecStart=/g/gotosocial --host a.example --db-type=sqlite server start",
			map[string]string{"host": "a.example", "db-type": "sqlite"}},
		{"quoted", `ExecStart=-/g/gotosocial --host "a b"c --x='y z' '--q=1 2' a\sb`, nil},
		{"quotes group", `ExecStart=@"/g/gotosocial" other --a="x y" 'server' start --b=e"f g"h --c=a\qb`,
			map[string]string{"a": "x y", "b": "ef gh", "c": `a\qb`}},
		{"several commands", `ExecStart=/bin/echo a \; b; ; /g/gotosocial server start --a=1`,
			map[string]string{"a": "1"}},
		{"reset", "ExecStart=/g/gotosocial server start --a=1\nExecStart=\nExecStart=/g/gotosocial server start " +
			"--b=1", map[string]string{"b": "1"}},
		{"open quote", `ExecStart=/g/gotosocial server start --a="1`, nil},
		{"specifiers", `ExecStart=/g/gotosocial server start --a=%n --b=%%n --c=50%`,
			map[string]string{"a": "gotosocial.service", "b": "%n", "c": "50%"}},
		{"booleans", "ExecStart=/g/gotosocial --letsencrypt-enabled server --syslog-enabled=false start " +
			"--oidc-enabled --metrics-enabled", map[string]string{"letsencrypt-enabled": "true",
			"syslog-enabled": "false", "oidc-enabled": "true", "metrics-enabled": "true"}},
		{"values like verbs", "ExecStart=/g/gotosocial --db-user server --db-password --x server start",
			map[string]string{"db-user": "server", "db-password": "--x"}},
		{"empty counts", "ExecStart=/g/gotosocial server start --db-database=", map[string]string{"db-database": ""}},
		{"the last one counts", "ExecStart=/g/gotosocial server start --port 1 --port 2",
			map[string]string{"port": "2"}},
		{"variables", "Environment=\"A=x y\" B='two words'\nExecStart=/g/gotosocial server start --a ${A} " +
			"--b=${B}$$ $A", nil},
		{"variable within", "Environment=\"A=x y\"\nExecStart=/g/gotosocial server start --a ${A} --b=<${A}>$$",
			map[string]string{"a": "x y", "b": "<x y>$"}},
		{"variable of words", "Environment=\"A=--a '1 2' server\"\nExecStart=/g/gotosocial $A start",
			map[string]string{"a": "1 2"}},
		{"variables left alone", "ExecStart=:/g/gotosocial server start --a ${A} --b $A",
			map[string]string{"a": "${A}", "b": "$A"}},
		{"another verb", "ExecStart=/g/gotosocial --a=1 admin media list-attachments", nil},
		{"another program", "ExecStart=/g/mastodon --a=1 server start", nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			unit := service(t, c.text)
			got := config(t, gotosocial.Server{Unit: unit})
			values, from := set(got)
			if !maps.Equal(values, c.want) {
				t.Errorf("%q, warnings %q", values, got.Warnings)
			}
			for key, place := range from {
				if place != "--"+key+" in "+unit {
					t.Errorf("%s is from %q", key, place)
				}
			}
			if runs := got.Binary == "/g/gotosocial"; runs != (c.want != nil) || !runs && len(got.Warnings) == 0 {
				t.Errorf("binary %q, warnings %q", got.Binary, got.Warnings)
			}
		})
	}
}

func TestEnvironmentFilesAreReadAsSystemdReadsThem(t *testing.T) {
	for text, want := range map[string]string{
		"GTS_A=1":                      "1",
		"GTS_A = 1 2  ":                "1 2",
		"GTS_A=\"1 # 2\"":              "1 # 2",
		"GTS_A='$x \\n' ":              `$x \n`,
		"GTS_A=\"a\\\"b\\$c\\nd\\\\\"": `a"b$c\nd\`,
		"GTS_A=a\\ b\\\\c\\":           `a b\c`,
		"GTS_A=a\\\nb":                 "ab",
		"GTS_A=a\"b\" # c":             `a"b" # c`,
		"GTS_A=\"x\"  'y'z ":           "xyz",
		"GTS_A=\"1\n2\"\nGTS_B=":       "1\n2",
		"GTS_A=\"open\nGTS_B=2":        "open\nGTS_B=2",
		"GTS_A=' 1 '":                  " 1 ",
		"GTS_A=1\\ \\ ":                "1  ",
		"# GTS_A=0\n;GTS_A=0\nGTS_A=1": "1",
		"x\nexport GTS_A=0\nGTS_A=1":   "1",
		"GTS_A=1\r\n":                  "1",
		"GTS_A=0\nGTS_A=1":             "1",
		"GTS_A=pa$word":                "pa$word",
	} {
		root := machine(t, map[string]string{"own.env": text})
		c := config(t, gotosocial.Server{Unit: service(t, start+"EnvironmentFile="+root+"/own.env")})
		if values, _ := set(c); values["a"] != want || len(values) != 1 {
			t.Errorf("%q: %q", text, values)
		}
	}
}

func TestContainersEnvironmentIsReadAsComposeReadsIt(t *testing.T) {
	for text, want := range map[string]string{
		"GTS_A=1 # comment":               "1",
		"GTS_A=1#2":                       "1#2",
		"GTS_A=\"1 # 2\" # comment":       "1 # 2",
		"GTS_A='$x'":                      "$x",
		"GTS_A=a$$b":                      "a$b",
		"B=x\nGTS_A=${B}y":                "xy",
		"GTS_A=${B:-z}":                   "z",
		"GTS_A=\"a\\nb\"":                 "a\nb",
		"# GTS_A=0\nexport GTS_A=1\nNONE": "1",
	} {
		root := machine(t, map[string]string{"own.env": text})
		c := config(t, gotosocial.Server{EnvFile: root + "/own.env"})
		if values, from := set(c); values["a"] != want || from["a"] != "GTS_A in "+root+"/own.env" {
			t.Errorf("%q: %q", text, values)
		}
	}
}

// A piece of a password that looks like a variable is neither printed nor lost
// without a word.
func TestDollarInAValueIsReportedWithoutTheSecret(t *testing.T) {
	root := machine(t, map[string]string{"own.env": "GTS_DB_PASSWORD=pa$geheim",
		"wrong.env": "GTS_DB_PASSWORD=\"geheim\n", "odd.env": "GTS_A=1\nge heim*=1"})
	var printed strings.Builder
	logrus.SetOutput(&printed)
	c, err := gotosocial.Server{EnvFile: root + "/own.env"}.Config()
	if printed.Len() > 0 {
		t.Error(printed.String())
	}
	if err != nil || len(c.Warnings) != 1 || !strings.Contains(c.Warnings[0], "$$") ||
		strings.Contains(c.Warnings[0], "geheim") {
		t.Errorf("%v, %q", err, c.Warnings)
	}
	for _, name := range []string{"wrong.env", "odd.env"} {
		_, err := gotosocial.Server{EnvFile: root + "/" + name}.Config()
		if err == nil || strings.Contains(err.Error(), "heim") || !strings.Contains(err.Error(), "(line ") {
			t.Errorf("%v", err)
		}
	}
}

func TestLaterOriginsOverrideEarlierOnes(t *testing.T) {
	root := machine(t, map[string]string{
		"etc/gts/config.yaml": "host: file\ndb-type: file\ndb-user: file\nport: 1\n",
		"etc/gts/a.env":       "GTS_DB_USER=a.env\nGTS_PORT=2\nGTS_STORAGE_BACKEND=s3\n",
		"etc/gts/b.env":       "GTS_PORT=3\n",
		"etc/systemd/system/gotosocial.service": "[Service]\nWorkingDirectory=ROOT/etc/gts\n" +
			"Environment=GTS_DB_TYPE=unit GTS_DB_USER=unit\nEnvironmentFile=ROOT/etc/gts/*.env\n" +
			"EnvironmentFile=-ROOT/no.env\n" +
			"ExecStart=/g/gotosocial --config-path config.yaml server start",
		"etc/systemd/system/gotosocial.service.d/10-own.conf": "[Service]\n" +
			"Environment=GTS_BIND_ADDRESS=drop-in\nExecStart=\n" +
			"ExecStart=/g/gotosocial --config-path config.yaml server start --storage-backend local",
	})
	c := config(t, gotosocial.Server{Unit: "gotosocial", Root: root})
	unit := root + "/etc/systemd/system/gotosocial.service"
	_, from := set(c)
	for key, want := range map[string]string{
		"host":            root + "/etc/gts/config.yaml",
		"db-type":         "GTS_DB_TYPE in " + unit,
		"db-user":         "GTS_DB_USER in " + root + "/etc/gts/a.env",
		"port":            "GTS_PORT in " + root + "/etc/gts/b.env",
		"bind-address":    "GTS_BIND_ADDRESS in " + unit + ".d/10-own.conf",
		"storage-backend": "--storage-backend in " + unit + ".d/10-own.conf",
	} {
		if from[key] != want {
			t.Errorf("%s is from %q, want %q", key, from[key], want)
		}
	}
	if c.Unit != unit || c.Get("port") != "3" || c.WorkingDir != root+"/etc/gts" || len(c.Warnings) > 0 {
		t.Errorf("%s, port %s, in %s, %q", c.Unit, c.Get("port"), c.WorkingDir, c.Warnings)
	}
}

func TestDropInsOverrideInTheirOrder(t *testing.T) {
	root := machine(t, map[string]string{
		"usr/lib/systemd/system/gts-my@.service": "[Service]\n" + start +
			"Environment=GTS_A=%i GTS_B=1 GTS_C=1",
		"usr/lib/systemd/system/gts-my@.service.d/20.conf":     "[Service]\nEnvironment=GTS_B=hidden",
		"etc/systemd/system/gts-my@.service.d/20.conf":         "[Service]\nEnvironment=GTS_B=20",
		"etc/systemd/system/gts-my@x.service.d/10.conf":        "[Service]\nEnvironment=GTS_B=10 GTS_D=10",
		"run/systemd/system/gts-.service.d/30.conf":            "[Service]\nEnvironment=GTS_E=30",
		"etc/systemd/system/service.d/40.conf":                 "[Service]\nEnvironment=GTS_F=40",
		"etc/systemd/system/gts-my@x.service.d/notes.conf.bak": "[Service]\nEnvironment=GTS_G=1",
		"usr/lib/systemd/system/gts-my@x.service.d/50.conf":    "[Service]\nEnvironment=GTS_C=masked",
	})
	testkit.OK(t, os.Symlink("/dev/null", root+"/etc/systemd/system/gts-my@x.service.d/50.conf"))
	c := config(t, gotosocial.Server{Unit: "gts-my@x", Root: root})
	want := map[string]string{"a": "x", "b": "20", "c": "1", "d": "10", "e": "30", "f": "40"}
	if values, _ := set(c); !maps.Equal(values, want) {
		t.Errorf("%q", values)
	}
}

func TestRelativePathsStartWhereTheServerDoes(t *testing.T) {
	for _, c := range []struct {
		name, unit string
		server     gotosocial.Server
		want       string
	}{
		{"unit", "WorkingDirectory=/srv/gts\n" + start, gotosocial.Server{}, "/srv/gts/sqlite.db"},
		{"specifier", "WorkingDirectory=-%S/gts\n" + start, gotosocial.Server{}, "/var/lib/gts/sqlite.db"},
		{"home", "User=root\nWorkingDirectory=~\n" + start, gotosocial.Server{}, "/root/sqlite.db"},
		{"systemd's default", start, gotosocial.Server{}, "/sqlite.db"},
		{"a person knows better", "WorkingDirectory=/srv/gts\n" + start, gotosocial.Server{WorkingDir: "/opt"},
			"/opt/sqlite.db"},
		{"file alone", "", gotosocial.Server{}, "FILE/sqlite.db"},
		{"file with what can't be known", "WorkingDirectory=/x/%b\n" + start, gotosocial.Server{}, "FILE/sqlite.db"},
		{"file of a container", "", gotosocial.Server{EnvFile: "FILE/own.env"}, "FILE/sqlite.db"},
		{"mapped", "", gotosocial.Server{WorkingDir: "/gotosocial/data",
			Paths: map[string]string{"/gotosocial/": "/a", "/gotosocial/data": "/b", "/gotosocial/da": "/c",
				"/": "/d"}}, "/b/sqlite.db"},
		{"mapped root", "", gotosocial.Server{WorkingDir: "/x", Paths: map[string]string{"/": "/d"}}, "/d/x/sqlite.db"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := machine(t, map[string]string{"config.yaml": "db-address: sqlite.db",
				"own.env": "GTS_HOST=a.example"})
			c.server.File = file + "/config.yaml"
			c.server.Root = file
			c.server.EnvFile = strings.Replace(c.server.EnvFile, "FILE", file, 1)
			if c.unit != "" {
				c.server.Unit = service(t, c.unit)
			}
			if got := config(t, c.server).Database(); got != strings.Replace(c.want, "FILE", file, 1) {
				t.Errorf("%s", got)
			}
		})
	}
}

func TestUnitIsFoundByItsConfigurationFile(t *testing.T) {
	files := map[string]string{
		"etc/gts/config.yaml":   "host: a.example",
		"etc/other/config.yaml": "host: b.example",
		"etc/systemd/system/prune.service": "[Service]\nExecStart=/g/gotosocial --config-path " +
			"ROOT/etc/gts/config.yaml admin media prune all",
		"usr/lib/systemd/system/one.service": "[Service]\nWorkingDirectory=ROOT/etc\nExecStart=/g/gotosocial " +
			"--config-path gts/config.yaml server start",
		"etc/systemd/system/two.service": "[Service]\nEnvironment=GTS_CONFIG_PATH=ROOT/etc/other/config.yaml\n" +
			"ExecStart=/g/gotosocial-0.20 server start",
		"usr/lib/systemd/system/hidden.service": "[Service]\nExecStart=/g/gotosocial --config-path " +
			"ROOT/etc/gts/config.yaml server start",
		"etc/systemd/system/hidden.service": "[Service]\nExecStart=/bin/true",
		"usr/lib/systemd/system/gts@.service": "[Service]\nExecStart=/g/gotosocial --config-path " +
			"ROOT/etc/%i.yaml server start",
		"etc/three.yaml": "host: c.example",
		"etc/systemd/system/x.wants/gts@a.service": "",
	}
	root := machine(t, files)
	testkit.OK(t, os.Symlink("two.service", root+"/etc/systemd/system/alias.service"))
	for file, want := range map[string]string{
		"etc/gts/config.yaml":   "/usr/lib/systemd/system/one.service",
		"etc/other/config.yaml": "/etc/systemd/system/two.service",
		"etc/three.yaml":        "",
	} {
		c := config(t, gotosocial.Server{File: root + "/" + file, Root: root, Environment: []string{"GTS_PORT=1"}})
		if want != "" {
			want = root + want
		}
		if c.Unit != want || (c.Get("port") == "1") != (want == "") || len(c.Warnings) != 1 {
			t.Errorf("%s: %q, port %q, %q", file, c.Unit, c.Get("port"), c.Warnings)
		}
	}
	var units []string
	for _, f := range gotosocial.Find(root) {
		units = append(units, strings.TrimPrefix(f.Unit, root))
	}
	if want := []string{"/etc/systemd/system/gts@a.service", "/etc/systemd/system/two.service",
		"/usr/lib/systemd/system/one.service"}; !slices.Equal(units, want) {
		t.Errorf("%q", units)
	}

	testkit.Write(t, filepath.Join(root, "etc/systemd/system/again.service"),
		"[Service]\nExecStart=/g/gotosocial --config-path "+
			""+root+"/etc/gts/config.yaml server start")
	_, err := gotosocial.Server{File: root + "/etc/gts/config.yaml", Root: root}.Config()
	var p *remedy.Error
	if !errors.As(err, &p) || !strings.Contains(p.What, "again.service") || !strings.Contains(p.What, "one.service") {
		t.Errorf("%v", err)
	}
}

func TestFilesInUsualPlacesAreFoundOnce(t *testing.T) {
	root := machine(t, map[string]string{"opt/gotosocial/config.yaml": "", "etc/gotosocial/config.yml": ""})
	testkit.OK(t, os.Symlink("opt/gotosocial", root+"/gotosocial"))
	if found := gotosocial.Find(root); len(found) != 1 || found[0].File != root+"/gotosocial/config.yaml" ||
		!strings.Contains(found[0].How, found[0].File) {
		t.Errorf("%+v", found)
	}
}

func TestWarningsNameSettingsAndNeverTheirValues(t *testing.T) {
	root := machine(t, map[string]string{"a.yaml": "host: a.example", "b.yaml": "host: b.example",
		"own.env": "GTS_PORT=1"})
	env := []string{"GTS_SMTP_PASSWORD=geheim", "GTS_PORT=1", "PATH=geheim"}
	for _, c := range []struct {
		name   string
		server gotosocial.Server
		want   []string
	}{
		{"own environment alone", gotosocial.Server{Environment: env, File: root + "/a.yaml"},
			[]string{"no snapshot will hold GTS_PORT, GTS_SMTP_PASSWORD of Holdfast's own environment"}},
		{"own environment ignored", gotosocial.Server{Environment: env, EnvFile: root + "/own.env"},
			[]string{"GTS_SMTP_PASSWORD of Holdfast's own environment has no effect"}},
		{"another file", gotosocial.Server{File: root + "/a.yaml", Unit: service(t,
			"ExecStart=/g/gotosocial server start --config-path "+root+"/b.yaml")}, []string{"b.yaml"}},
		{"no server", gotosocial.Server{Unit: service(t, "Environment=GTS_PORT=1\nExecStart=/usr/bin/docker run "+
			"geheim")}, []string{"doesn't run gotosocial"}},
		{"root folder", gotosocial.Server{Unit: service(t, start+"RootDirectory=/srv")}, []string{"instance.paths"}},
		{"odd lines", gotosocial.Server{Unit: service(t,
			start+"Environment=GTS_A=\"geheim\nEnvironment=GTS_B=%bgeheim\nWorkingDirectory=~\nUser=no-such-user")},
			[]string{"quote", "%b", "home folder"}},
		{"unknown variable", gotosocial.Server{Unit: service(t, "ExecStart=/g/gotosocial server start --a ${NONE}")},
			[]string{"does not set NONE"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.server.Root = root
			warnings := config(t, c.server).Warnings
			if len(warnings) != len(c.want) || strings.Contains(strings.Join(warnings, ""), "geheim") {
				t.Fatalf("%q", warnings)
			}
			for i := range c.want {
				if !strings.Contains(warnings[i], c.want[i]) {
					t.Errorf("%q", warnings[i])
				}
			}
		})
	}
}

func TestUnreadableServiceNamesTheFix(t *testing.T) {
	root := t.TempDir()
	masked := root + "/masked.service"
	testkit.OK(t, os.Symlink("/dev/null", masked))
	for _, c := range []struct {
		name     string
		server   gotosocial.Server
		want     string
		notExist bool
	}{
		{"no unit", gotosocial.Server{Unit: root + "/gone.service"}, "can't read unit " + root + "/gone.service", true},
		{"no unit of that name", gotosocial.Server{Unit: "gone"}, "/etc/systemd/system/gone.service", true},
		{"masked", gotosocial.Server{Unit: masked}, "is masked", false},
		{"folder", gotosocial.Server{Unit: root}, "is not a regular file", false},
		{"no environment file of the unit", gotosocial.Server{Unit: service(t,
			start+"EnvironmentFile="+root+"/gone.env")}, "/gone.env", true},
		{"no environment file of the container", gotosocial.Server{EnvFile: root + "/gone.env"},
			"can't read environment file", true},
		{"quadlet", gotosocial.Server{Unit: "gotosocial.container"}, "is a quadlet", false},
		{"no configuration file of the unit", gotosocial.Server{Unit: service(t,
			"ExecStart=/g/gotosocial --config-path "+root+"/gone.yaml server start")}, "gone.yaml", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.server.Root = root
			_, err := c.server.Config()
			var p *remedy.Error
			if !errors.As(err, &p) || p.Fix == "" || !strings.Contains(err.Error(), c.want) ||
				errors.Is(err, fs.ErrNotExist) != c.notExist {
				t.Errorf("%v", err)
			}
		})
	}
}

// FuzzService: no unit and no environment file makes Config panic, every setting
// says where it is from, and no warning and no error quotes a container's
// variables, but for the file that one names.
func FuzzService(f *testing.F) {
	const secret = "hunter2geheim"
	for _, text := range []string{
		"Environment=\"GTS_A=%n\" GTS_B='x\\", "ExecStart=@-/g/gotosocial a $X ${Y} --host x server start ; " +
			"x", "EnvironmentFile=-/x*[\nWorkingDirectory=~\nUser=",
		"GTS_A=\"x\\\"\n", "GTS_A=a\\\nb # c", "GTS_A=${B:-${C}}", "GTS_A: 'x'", "export " +
			"A", "\\", "[", "=", "Environment=\\x0\\u12\\777", "%", "$",
	} {
		f.Add(text, uint(3))
	}
	dir := f.TempDir()
	f.Fuzz(func(t *testing.T, text string, at uint) {
		at %= uint(len(text)) + 1
		text = text[:at] + secret + text[at:]
		unit, env := filepath.Join(dir, "gts.service"), filepath.Join(dir, "own.env")
		if err := cmp.Or(os.WriteFile(unit, []byte("[Service]\nEnvironmentFile="+env+"\n"+text), 0o600),
			os.WriteFile(env, []byte(text), 0o600)); err != nil {
			t.Fatal(err)
		}
		for _, s := range []gotosocial.Server{{Unit: unit, Root: dir}, {EnvFile: env}} {
			c, err := s.Config()
			quiet := s.Unit == "" && !strings.Contains(strings.ToUpper(text), "CONFIG_PATH")
			if err != nil {
				var p *remedy.Error
				if !errors.As(err, &p) || p.Fix == "" || quiet && strings.Contains(err.Error(), secret) {
					t.Errorf("%v", err)
				}
				continue
			}
			if all := strings.Join(c.Warnings, "\n"); quiet && strings.Contains(all, secret) {
				t.Error(all)
			}
			for _, s := range c.Settings() {
				if s.Origin.Kind == "" || s.From() == "" {
					t.Errorf("%q has no origin", s.Key)
				}
			}
		}
	})
}
