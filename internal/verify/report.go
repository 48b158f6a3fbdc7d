package verify

import (
	"encoding/xml"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"wso2agent/internal/plan"
)

// Counts are the numbers of results by verdict.
type Counts map[Verdict]int

// Count counts results.
func Count(checks []Check) Counts {
	n := Counts{}
	for _, c := range checks {
		n[c.Verdict]++
	}
	return n
}

// WriteText writes the results as a table, with a hint below each failure and each warning.
func WriteText(w io.Writer, checks []Check) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CHECK\tVERDICT\tEVIDENCE")
	for _, c := range checks {
		fmt.Fprintf(table, "%s\t%s\t%s\n", c.ID, c.Verdict, plan.Escaped(c.Evidence))
		if c.Remedy != "" {
			fmt.Fprintf(table, "\t\thint: %s\n", plan.Escaped(c.Remedy))
		}
	}
	if err := table.Flush(); err != nil {
		return err
	}
	n := Count(checks)
	_, err := fmt.Fprintf(w, "passed: %d, failed: %d, warnings: %d, skipped: %d\n", n[Pass], n[Fail], n[Warn], n[Skip])
	return err
}

// WriteList writes the table of checks without running them.
func WriteList(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "CHECK\tASKS\tWRITES\tWHAT HOLDS IF IT PASSES")
	for _, d := range Checks() {
		writes := "-"
		if d.Write {
			writes = "--write"
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", d.ID, d.Asks, writes, d.Name)
	}
	return table.Flush()
}

// result is a check in JSON.
type result struct {
	ID       string  `json:"id"`
	Name     string  `json:"name"`
	Verdict  Verdict `json:"verdict"`
	Evidence string  `json:"evidence"`
	Remedy   string  `json:"remedy,omitempty"`
	API      string  `json:"apiId,omitempty"`
	Seconds  float64 `json:"seconds"`
}

// JSON returns the results for programs: all of them, and how many passed, failed, were warnings or were skipped.
func JSON(checks []Check) any {
	results := []result{}
	for _, c := range checks {
		results = append(results, result{c.ID, c.Name, c.Verdict, c.Evidence, c.Remedy, c.API, seconds(c.Took)})
	}
	n := Count(checks)
	return map[string]any{"checks": results, "passed": n[Pass], "failed": n[Fail], "warnings": n[Warn], "skipped": n[Skip]}
}

// seconds are rounded to milliseconds.
func seconds(d time.Duration) float64 { return float64(d.Milliseconds()) / 1000 }

// suite is the report that CI systems read: JUnit's XML, as Jenkins and GitLab describe it.
type suite struct {
	XMLName  xml.Name `xml:"testsuite"`
	Name     string   `xml:"name,attr"`
	Tests    int      `xml:"tests,attr"`
	Failures int      `xml:"failures,attr"`
	Errors   int      `xml:"errors,attr"`
	Skipped  int      `xml:"skipped,attr"`
	Time     float64  `xml:"time,attr"`
	Cases    []testCase
}

type testCase struct {
	XMLName xml.Name `xml:"testcase"`
	Class   string   `xml:"classname,attr"` // the subject, by which reports group cases
	Name    string   `xml:"name,attr"`
	Time    float64  `xml:"time,attr"`
	Failure *message `xml:"failure"`
	Skipped *message `xml:"skipped"`
	Out     string   `xml:"system-out,omitempty"`
}

type message struct {
	Message string `xml:"message,attr"`
	Text    string `xml:",chardata"`
}

// JUnit returns the results as JUnit's XML. A warning passes, and says so in its output.
func JUnit(checks []Check) ([]byte, error) {
	n := Count(checks)
	s := suite{Name: "agent verify", Tests: len(checks), Failures: n[Fail], Skipped: n[Skip]}
	for _, c := range checks {
		subject, _, _ := strings.Cut(c.ID, ".")
		one := testCase{Class: "verify." + subject, Name: c.ID + ": " + c.Name, Time: seconds(c.Took)}
		switch c.Verdict {
		case Fail:
			one.Failure = &message{c.Evidence, "hint: " + c.Remedy}
		case Skip:
			one.Skipped = &message{Message: c.Evidence}
		case Warn:
			one.Out = "warning: " + c.Evidence + "\nhint: " + c.Remedy
		default:
			one.Out = c.Evidence
		}
		s.Time += one.Time
		s.Cases = append(s.Cases, one)
	}
	text, err := xml.MarshalIndent(s, "", "  ")
	return append([]byte(xml.Header), append(text, '\n')...), err
}
