package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
)

// manifests are all objects of the folder kubernetes.
type manifests struct {
	services map[string]service
	budgets  []budget
	maps     map[string]configMap
	sets     map[string]statefulSet
}

// readManifests reads every document strictly: a field that its kind does not have, or
// has twice, fails.
func readManifests(t *testing.T) manifests {
	t.Helper()
	m := manifests{services: map[string]service{}, maps: map[string]configMap{}, sets: map[string]statefulSet{}}
	files, _ := filepath.Glob("kubernetes/*.yaml")
	if len(files) < 3 {
		t.Fatalf("files %v", files)
	}
	for _, file := range files {
		for _, doc := range strings.Split(read(t, file), "\n---\n") {
			var o Object
			if err := yaml.Unmarshal([]byte(doc), &o); err != nil {
				t.Fatalf("%s: %v", file, err)
			}
			strictly := func(v any) {
				t.Helper()
				if err := yaml.UnmarshalWithOptions([]byte(doc), v, yaml.Strict()); err != nil {
					t.Errorf("%s: %s %s: %v", file, o.Kind, o.Metadata.Name, err)
				}
			}
			switch o.APIVersion + " " + o.Kind {
			case "v1 Namespace":
				strictly(&Object{})
			case "v1 Service":
				var s service
				strictly(&s)
				m.services[o.Metadata.Name] = s
			case "v1 ConfigMap":
				var c configMap
				strictly(&c)
				m.maps[o.Metadata.Name] = c
			case "policy/v1 PodDisruptionBudget":
				var b budget
				strictly(&b)
				m.budgets = append(m.budgets, b)
			case "apps/v1 StatefulSet":
				var s statefulSet
				strictly(&s)
				m.sets[o.Metadata.Name] = s
			default:
				t.Errorf("%s: %s %s is not known to this test", file, o.APIVersion, o.Kind)
			}
		}
	}
	return m
}

// TestManifests: what names something names what there is.
func TestManifests(t *testing.T) {
	m := readManifests(t)
	if len(m.sets) < 2 || len(m.budgets) != 1 {
		t.Fatalf("%d sets, %d budgets", len(m.sets), len(m.budgets))
	}
	for name, set := range m.sets {
		labels := set.Spec.Template.Metadata.Labels
		if !selects(set.Spec.Selector.MatchLabels, labels) || !selects(m.budgets[0].Spec.Selector.MatchLabels, labels) {
			t.Errorf("%s: a selector does not select its pods, %v", name, labels)
		}
		if _, ok := m.services[set.Spec.ServiceName]; !ok || m.services[set.Spec.ServiceName].Spec.ClusterIP != "None" {
			t.Errorf("%s: no headless service %q", name, set.Spec.ServiceName)
		}
		ports := portsOf(set)
		for _, s := range m.services {
			if !selects(s.Spec.Selector, labels) {
				t.Errorf("service %s does not select %s", s.Metadata.Name, name)
			}
			for _, p := range s.Spec.Ports {
				if ports[p.TargetPort] == 0 {
					t.Errorf("service %s: %s has no port %q", s.Metadata.Name, name, p.TargetPort)
				}
			}
		}
		checkVolumes(t, m, set)
		checkNode(t, m, set)
	}
}

// selects reports whether a selector has labels, and only some of these.
func selects(selector, labels map[string]string) bool {
	for k, v := range selector {
		if labels[k] != v {
			return false
		}
	}
	return len(selector) > 0
}

func portsOf(set statefulSet) map[string]int {
	ports := map[string]int{}
	for _, c := range slices.Concat(set.Spec.Template.Spec.InitContainers, set.Spec.Template.Spec.Containers) {
		for _, p := range c.Ports {
			ports[p.Name] = p.ContainerPort
		}
	}
	return ports
}

// checkVolumes holds mounts to volumes, and volumes to what is there.
func checkVolumes(t *testing.T, m manifests, set statefulSet) {
	t.Helper()
	volumes := map[string]bool{}
	pod := set.Spec.Template.Spec
	for _, v := range pod.Volumes {
		volumes[v.Name] = true
		if _, ok := m.maps[v.ConfigMap.Name]; v.ConfigMap.Name != "" && !ok {
			t.Errorf("no config map %q", v.ConfigMap.Name)
		}
	}
	for _, v := range set.Spec.VolumeClaimTemplates {
		volumes[v.Metadata.Name] = true
	}
	for _, c := range slices.Concat(pod.InitContainers, pod.Containers) {
		for _, mount := range c.VolumeMounts {
			if !volumes[mount.Name] {
				t.Errorf("%s: no volume %q", c.Name, mount.Name)
			}
		}
		if !slices.Equal(c.SecurityContext.Capabilities.Drop, []string{"ALL"}) || c.SecurityContext.AllowPrivilegeEscalation {
			t.Errorf("%s may do more than it needs", c.Name)
		}
	}
}

// variable is a reference to the environment in a command.
var variable = regexp.MustCompile(`\$\(([A-Z_]+)\)`)

// checkNode holds the container of roostd to roostd, to the proxy, and to time.
func checkNode(t *testing.T, m manifests, set statefulSet) {
	t.Helper()
	pod := set.Spec.Template.Spec
	c := pod.Containers[0]
	env := map[string]bool{}
	for _, e := range c.Env {
		env[e.Name] = true
	}
	for _, v := range variable.FindAllStringSubmatch(strings.Join(c.Command, " "), -1) {
		if !env[v[1]] {
			t.Errorf("$(%s) is not set", v[1])
		}
	}
	given := parseFlags(t, c.Command[1:])
	if zone := set.Metadata.Labels["zone"]; given["zone"] != zone || pod.Affinity.NodeAffinity.Required.Terms[0].MatchExpressions[0].Values[0] != "zone-"+zone {
		t.Errorf("zone %s runs elsewhere, or says that it is %s", zone, given["zone"])
	}
	mounted := slices.ContainsFunc(c.VolumeMounts, func(v mount) bool { return v.MountPath == given["data-dir"] && !v.ReadOnly })
	if !mounted {
		t.Errorf("data-dir %s is no volume", given["data-dir"])
	}

	drain, err := time.ParseDuration(given["drain"])
	grace := time.Duration(pod.TerminationGracePeriodSeconds) * time.Second
	preStop := time.Duration(c.Lifecycle.PreStop.Sleep.Seconds) * time.Second
	if err != nil || preStop == 0 || grace < preStop+drain+afterDrain {
		t.Errorf("preStop %v, a drain of %v (%v) and %v after it do not fit into a grace period of %v", preStop, drain, err, afterDrain, grace)
	}

	cfg := m.maps["haproxy"].Data["haproxy.cfg"]
	probes := portsOf(set)["probes"]
	for name, p := range map[string]probe{"startup": c.StartupProbe, "readiness": c.ReadinessProbe, "liveness": c.LivenessProbe} {
		if p.HTTPGet.Port != probes || !slices.Contains([]string{"/healthz", "/readyz"}, p.HTTPGet.Path) || p.FailureThreshold == 0 {
			t.Errorf("%s probe: %+v", name, p)
		}
	}
	for _, want := range []string{"server s0 " + given["listen"] + " ", "server api " + given["api"] + " "} {
		if !strings.Contains(cfg, want) {
			t.Errorf("haproxy has no %q", want)
		}
	}
	for name, port := range portsOf(set) {
		if !strings.Contains(cfg, "bind :"+strconv.Itoa(port)+"\n") && !strings.Contains(cfg, "bind :"+strconv.Itoa(port)+" ") {
			t.Errorf("haproxy does not listen on %s, %d", name, port)
		}
	}
	most, _ := strconv.Atoi(given["max-connections"])
	if front, all := maxconns(cfg); most == 0 || front <= most || all <= 2*most {
		t.Errorf("haproxy takes %d devices and %d connections, roostd %d", front, all, most)
	}
}

var maxconn = regexp.MustCompile(`(?m)^ +maxconn (\d+)$`)

// maxconns returns the bound of connections of the frontend of devices, and of all.
func maxconns(cfg string) (front, all int) {
	found := maxconn.FindAllStringSubmatch(cfg, -1)
	if len(found) != 2 {
		return 0, 0
	}
	all, _ = strconv.Atoi(found[0][1])
	front, _ = strconv.Atoi(found[1][1])
	return front, all
}

// TestZonesAreAlike: the files of two zones differ by the zone's name only.
func TestZonesAreAlike(t *testing.T) {
	a, b := read(t, "kubernetes/zone-a.yaml"), read(t, "kubernetes/zone-b.yaml")
	for _, s := range [][2]string{{"nodes of zone a.", "nodes of zone b."}, {"name: roost-a\n", "name: roost-b\n"}, {"zone: a}", "zone: b}"}, {"[zone-a]", "[zone-b]"}, {"--zone=a", "--zone=b"}} {
		a = strings.ReplaceAll(a, s[0], s[1])
	}
	if a != b {
		t.Error("zone-b.yaml is not zone-a.yaml with another name")
	}
}

// TestManifestProxy: haproxy takes the configuration of the pods.
func TestManifestProxy(t *testing.T) {
	haproxy := need(t, "haproxy", "haproxy")
	cfg := readManifests(t).maps["haproxy"].Data["haproxy.cfg"]
	for from, to := range proxySubstitutes(t) {
		cfg = strings.ReplaceAll(cfg, from, to)
	}
	path := filepath.Join(t.TempDir(), "haproxy.cfg")
	if err := os.WriteFile(path, []byte(cfg), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command(haproxy, "-c", "-f", path).CombinedOutput(); err != nil || strings.Contains(string(out), "WARNING") {
		t.Errorf("%v: %s", err, out)
	}
}

// proxySubstitutes are what stands for the pod's certificates and descriptors.
func proxySubstitutes(t *testing.T) map[string]string {
	t.Helper()
	certs := newCerts(t)
	return map[string]string{"/tls/devices.pem": certs.server, "/tls/publishers.pem": certs.ca, "maxconn 60000": "maxconn 2000", "maxconn 26000": "maxconn 500"}
}
