package verify

import (
	"bytes"
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
		evidence := c.Evidence
		if api := c.subject(); api != "" {
			evidence = api + ": " + evidence
		}
		fmt.Fprintf(table, "%s\t%s\t%s\n", c.ID, c.Verdict, plan.Escaped(evidence))
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

// ListJSON returns the table of checks for programs.
func ListJSON() any {
	list := []map[string]any{}
	for _, d := range Checks() {
		list = append(list, map[string]any{"id": d.ID, "asks": d.Asks, "write": d.Write, "name": d.Name})
	}
	return list
}

// jsonCheck is a result in JSON.
type jsonCheck struct {
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
	results := []jsonCheck{}
	for _, c := range checks {
		results = append(results, jsonCheck{c.ID, c.Name, c.Verdict, c.Evidence, c.Remedy, c.API, seconds(c.Took)})
	}
	n := Count(checks)
	return map[string]any{"checks": results, "passed": n[Pass], "failed": n[Fail], "warnings": n[Warn], "skipped": n[Skip]}
}

// seconds are rounded to milliseconds.
func seconds(d time.Duration) float64 { return float64(d.Milliseconds()) / 1000 }

// JUnit returns the results as JUnit's XML, which CI systems read. A warning passes, and says so in its output. Package encoding/xml could
// write it from a type, and would make the program larger.
func JUnit(checks []Check) []byte {
	var b bytes.Buffer
	var total time.Duration
	for _, c := range checks {
		total += c.Took
	}
	n := Count(checks)
	fmt.Fprintf(&b, "%s<testsuite name=\"agent verify\" tests=\"%d\" failures=\"%d\" errors=\"0\" skipped=\"%d\" time=\"%g\">\n", xml.Header, len(checks), n[Fail], n[Skip], seconds(total))
	for _, c := range checks {
		subject, _, _ := strings.Cut(c.ID, ".") // by which reports group cases
		fmt.Fprintf(&b, "  <testcase classname=\"verify.%s\" name=\"%s: %s\" time=\"%g\">\n", subject, c.ID, escaped(c.Name), seconds(c.Took))
		switch c.Verdict {
		case Fail:
			fmt.Fprintf(&b, "    <failure message=\"%s\">hint: %s</failure>\n", escaped(c.Evidence), escaped(c.Remedy))
		case Skip:
			fmt.Fprintf(&b, "    <skipped message=\"%s\"/>\n", escaped(c.Evidence))
		case Warn:
			fmt.Fprintf(&b, "    <system-out>warning: %s&#xA;hint: %s</system-out>\n", escaped(c.Evidence), escaped(c.Remedy))
		default:
			fmt.Fprintf(&b, "    <system-out>%s</system-out>\n", escaped(c.Evidence))
		}
		b.WriteString("  </testcase>\n")
	}
	b.WriteString("</testsuite>\n")
	return b.Bytes()
}

// escaped returns a text as XML has it, in an attribute too.
func escaped(text string) string {
	var b bytes.Buffer
	_ = xml.EscapeText(&b, []byte(text)) // a bytes.Buffer takes everything
	return b.String()
}
