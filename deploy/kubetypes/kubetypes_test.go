// Package kubetypes holds the manifests of deploy/kubernetes to the types of Kubernetes' own
// API. It is a module of its own: what roost is built of has none of these.
package kubetypes

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"sigs.k8s.io/json"
	"sigs.k8s.io/yaml"
)

// kinds are what the manifests have, by "apiVersion kind".
var kinds = map[string]func() any{
	"v1 Namespace":                  func() any { return &corev1.Namespace{} },
	"v1 Service":                    func() any { return &corev1.Service{} },
	"v1 ConfigMap":                  func() any { return &corev1.ConfigMap{} },
	"policy/v1 PodDisruptionBudget": func() any { return &policyv1.PodDisruptionBudget{} },
	"apps/v1 StatefulSet":           func() any { return &appsv1.StatefulSet{} },
}

// object reads one document strictly: an unknown field, or one that is there twice, fails.
func object(doc []byte) (any, error) {
	var head struct {
		APIVersion string `json:"apiVersion"`
		Kind       string `json:"kind"`
	}
	if err := yaml.Unmarshal(doc, &head); err != nil {
		return nil, err
	}
	kind := kinds[head.APIVersion+" "+head.Kind]
	if kind == nil {
		return nil, os.ErrInvalid
	}
	asJSON, err := yaml.YAMLToJSONStrict(doc)
	if err != nil {
		return nil, err
	}
	// As Kubernetes does: encoding/json would take targetport for targetPort.
	o := kind()
	strict, err := json.UnmarshalStrict(asJSON, o)
	return o, errors.Join(append(strict, err)...)
}

func objects(t *testing.T) (all []any) {
	t.Helper()
	files, _ := filepath.Glob("../kubernetes/*.yaml")
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for i, doc := range bytes.Split(b, []byte("\n---\n")) {
			o, err := object(doc)
			if err != nil {
				t.Errorf("%s, document %d: %v", file, i+1, err)
				continue
			}
			all = append(all, o)
		}
	}
	if len(all) < 7 {
		t.Fatalf("%d objects of %v", len(all), files)
	}
	return all
}

// TestManifests: every field is one of Kubernetes', with a value of its type; and what makes
// a node end in peace fits together.
func TestManifests(t *testing.T) {
	sets, budgets := 0, 0
	for _, o := range objects(t) {
		switch o := o.(type) {
		case *appsv1.StatefulSet:
			sets++
			checkSet(t, o)
		case *policyv1.PodDisruptionBudget:
			budgets++
			if o.Spec.MaxUnavailable.IntValue() != 1 || o.Spec.MinAvailable != nil {
				t.Errorf("the budget is %+v", o.Spec)
			}
		}
	}
	if sets != 2 || budgets != 1 {
		t.Errorf("%d sets, %d budgets", sets, budgets)
	}
}

// afterDrain is what a node needs around its drain: a ring without it, and late devices.
const afterDrain = 20 * time.Second

func checkSet(t *testing.T, s *appsv1.StatefulSet) {
	t.Helper()
	pod := s.Spec.Template.Spec
	anti := pod.Affinity.PodAntiAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	if len(anti) != 1 || anti[0].TopologyKey != corev1.LabelHostname || anti[0].LabelSelector.MatchLabels["app"] != "roost" {
		t.Errorf("%s: two nodes may be on one machine: %+v", s.Name, anti)
	}
	if len(pod.InitContainers) != 1 || pod.InitContainers[0].RestartPolicy == nil || *pod.InitContainers[0].RestartPolicy != corev1.ContainerRestartPolicyAlways {
		t.Errorf("%s: the proxy is no sidecar, and would end before roostd", s.Name)
	}
	c := pod.Containers[0]
	for name, p := range map[string]*corev1.Probe{"startup": c.StartupProbe, "readiness": c.ReadinessProbe, "liveness": c.LivenessProbe} {
		if p == nil || p.HTTPGet == nil || p.FailureThreshold == 0 {
			t.Errorf("%s: %s probe %+v", s.Name, name, p)
		}
	}
	if c.Lifecycle == nil || c.Lifecycle.PreStop == nil || c.Lifecycle.PreStop.Sleep == nil || pod.TerminationGracePeriodSeconds == nil {
		t.Fatalf("%s: no preStop of a sleep, or no grace period", s.Name)
	}
	drain := time.Duration(0)
	for _, a := range c.Command {
		if text, ok := strings.CutPrefix(a, "--drain="); ok {
			drain, _ = time.ParseDuration(text)
		}
	}
	need := time.Duration(c.Lifecycle.PreStop.Sleep.Seconds)*time.Second + drain + afterDrain
	if grace := time.Duration(*pod.TerminationGracePeriodSeconds) * time.Second; drain == 0 || grace < need {
		t.Errorf("%s: a grace period of %v, it takes %v", s.Name, grace, need)
	}
	for _, c := range append(pod.InitContainers, pod.Containers...) {
		if c.Resources.Limits.Memory().IsZero() || c.Resources.Requests.Cpu().IsZero() {
			t.Errorf("%s: %s asks for %+v", s.Name, c.Name, c.Resources)
		}
	}
}

// TestStrict: the reading is as strict as it is to be.
func TestStrict(t *testing.T) {
	for text, why := range map[string]string{
		"apiVersion: v1\nkind: Service\nspec: {ports: [{port: 1, targetport: x}]}":                                     "targetport is written targetPort",
		"apiVersion: v1\nkind: Service\nspec: {ports: [{port: one}]}":                                                  "a port is a number",
		"apiVersion: v1\nkind: Service\nspec: {type: ClusterIP, type: None}":                                           "a field twice",
		"apiVersion: apps/v1\nkind: StatefulSet\nspec: {template: {spec: {terminationGracePeriod: 5}}}":                "no such field",
		"apiVersion: apps/v1\nkind: StatefulSet\nspec: {template: {spec: {containers: [{resources: {limits: 1Gi}}]}}}": "limits are of resources",
		"apiVersion: apps/v1beta1\nkind: StatefulSet":                                                                  "no such version",
	} {
		if _, err := object([]byte(text)); err == nil {
			t.Errorf("%s: it is taken", why)
		}
	}
}
