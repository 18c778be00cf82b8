package bmv2

import "encoding/json"

// The raw types mirror the JSON. Attributes that do not change behaviour are listed too, because
// an attribute that is not listed is an error: it might carry a meaning we would silently lose.

// ignored is an attribute without influence on packets.
type ignored = json.RawMessage

// fragment returns the piece of P4 that an object was compiled from. Nothing depends on it, so what
// does not look as expected is empty.
func fragment(source ignored) string {
	var v struct {
		Fragment string `json:"source_fragment"`
	}
	if json.Unmarshal(source, &v) != nil {
		return ""
	}
	return v.Fragment
}

type rawProgram struct {
	Program string `json:"program"`
	Meta    struct {
		Version  []int  `json:"version"`
		Compiler string `json:"compiler"`
	} `json:"__meta__"`
	HeaderTypes  []rawHeaderType  `json:"header_types"`
	Headers      []rawHeader      `json:"headers"`
	Stacks       []rawStack       `json:"header_stacks"`
	UnionTypes   []rawUnionType   `json:"header_union_types"`
	Unions       []rawUnion       `json:"header_unions"`
	UnionStacks  []rawUnionStack  `json:"header_union_stacks"`
	FieldLists   []rawFieldList   `json:"field_lists"`
	Errors       []rawPair        `json:"errors"`
	Enums        []rawEnum        `json:"enums"`
	Parsers      []rawParser      `json:"parsers"`
	ValueSets    []rawValueSet    `json:"parse_vsets"`
	Deparsers    []rawDeparser    `json:"deparsers"`
	Meters       []rawMeter       `json:"meter_arrays"`
	Counters     []rawCounter     `json:"counter_arrays"`
	Registers    []rawRegister    `json:"register_arrays"`
	Calculations []rawCalculation `json:"calculations"`
	LearnLists   []rawFieldList   `json:"learn_lists"`
	Actions      []rawAction      `json:"actions"`
	Pipelines    []rawPipeline    `json:"pipelines"`
	Checksums    []rawChecksum    `json:"checksums"`
	ForceArith   ignored          `json:"force_arith"`
	Externs      []rawNamed       `json:"extern_instances"`
	Aliases      []rawPair        `json:"field_aliases"`
	Config       ignored          `json:"config_options"`
}

// rawNamed is an object of which only the name is needed, because it is not supported.
type rawNamed struct{ name string }

func (n *rawNamed) UnmarshalJSON(data []byte) error {
	var v struct {
		Name string `json:"name"`
	}
	err := json.Unmarshal(data, &v)
	n.name = v.Name
	return err
}

// rawPair is a two-element array of a name and something.
type rawPair [2]json.RawMessage

type rawHeaderType struct {
	Name      string              `json:"name"`
	ID        int                 `json:"id"`
	Fields    [][]json.RawMessage `json:"fields"`
	LengthExp json.RawMessage     `json:"length_exp"`
	MaxLength *int                `json:"max_length"` // bytes, with a variable-length field
	Source    ignored             `json:"source_info"`
}

type rawHeader struct {
	Name     string  `json:"name"`
	ID       int     `json:"id"`
	Type     string  `json:"header_type"`
	Metadata bool    `json:"metadata"`
	PIOmit   ignored `json:"pi_omit"`
	Source   ignored `json:"source_info"`
}

type rawStack struct {
	Name   string  `json:"name"`
	ID     int     `json:"id"`
	Type   string  `json:"header_type"`
	Size   ignored `json:"size"`
	IDs    []int   `json:"header_ids"`
	PIOmit ignored `json:"pi_omit"`
	Source ignored `json:"source_info"`
}

type rawUnionType struct {
	Name    string      `json:"name"`
	ID      int         `json:"id"`
	Members [][2]string `json:"headers"`
	Source  ignored     `json:"source_info"`
}

type rawUnion struct {
	Name   string  `json:"name"`
	ID     int     `json:"id"`
	Type   string  `json:"union_type"`
	IDs    []int   `json:"header_ids"`
	PIOmit ignored `json:"pi_omit"`
	Source ignored `json:"source_info"`
}

type rawUnionStack struct {
	Name   string  `json:"name"`
	ID     int     `json:"id"`
	Type   string  `json:"union_type"`
	Size   ignored `json:"size"`
	IDs    []int   `json:"header_union_ids"`
	PIOmit ignored `json:"pi_omit"`
	Source ignored `json:"source_info"`
}

type rawValueSet struct {
	Name    string  `json:"name"`
	ID      int     `json:"id"`
	Bits    int     `json:"compressed_bitwidth"`
	MaxSize int     `json:"max_size"`
	Source  ignored `json:"source_info"`
}

type rawFieldList struct {
	Name     string     `json:"name"`
	ID       int        `json:"id"`
	Elements []rawValue `json:"elements"`
	Source   ignored    `json:"source_info"`
}

type rawEnum struct {
	Name    string    `json:"name"`
	Entries []rawPair `json:"entries"`
	Source  ignored   `json:"source_info"`
}

// rawValue is a "type value object".
type rawValue struct {
	Type  string `json:"type"`
	Value any    `json:"value"`
	Width int    `json:"bitwidth"`
	// Newer compilers annotate values; neither changes the value.
	Signed ignored `json:"signed"`
	Source ignored `json:"source_info"`
}

type rawParser struct {
	Name   string          `json:"name"`
	ID     int             `json:"id"`
	Init   *string         `json:"init_state"`
	States []rawParseState `json:"parse_states"`
	Source ignored         `json:"source_info"`
}

type rawParseState struct {
	Name        string          `json:"name"`
	ID          int             `json:"id"`
	Ops         []rawParserOp   `json:"parser_ops"`
	Transitions []rawTransition `json:"transitions"`
	Key         []rawValue      `json:"transition_key"`
	Source      ignored         `json:"source_info"`
}

type rawParserOp struct {
	Op     string            `json:"op"`
	Params []json.RawMessage `json:"parameters"`
	Source ignored           `json:"source_info"`
}

type rawTransition struct {
	Type   string  `json:"type"`
	Value  *string `json:"value"`
	Mask   *string `json:"mask"`
	Next   *string `json:"next_state"`
	Source ignored `json:"source_info"`
}

type rawDeparser struct {
	Name       string         `json:"name"`
	ID         int            `json:"id"`
	Order      []string       `json:"order"`
	Primitives []rawPrimitive `json:"primitives"`
	Source     ignored        `json:"source_info"`
}

type rawPrimitive struct {
	Op     string     `json:"op"`
	Params []rawValue `json:"parameters"`
	Source ignored    `json:"source_info"`
}

type rawCounter struct {
	Name    string  `json:"name"`
	ID      int     `json:"id"`
	Size    int     `json:"size"`
	Direct  bool    `json:"is_direct"`
	Binding string  `json:"binding"`
	Type    ignored `json:"type"`
	Source  ignored `json:"source_info"`
}

type rawMeter struct {
	Name    string          `json:"name"`
	ID      int             `json:"id"`
	Size    int             `json:"size"`
	Rates   int             `json:"rate_count"`
	Type    string          `json:"type"`
	Direct  bool            `json:"is_direct"`
	Binding ignored         `json:"binding"` // the table says it, too
	Result  json.RawMessage `json:"result_target"`
	Source  ignored         `json:"source_info"`
}

type rawProfile struct {
	Name     string       `json:"name"`
	ID       int          `json:"id"`
	MaxSize  int          `json:"max_size"`
	Selector *rawSelector `json:"selector"`
	Source   ignored      `json:"source_info"`
}

type rawSelector struct {
	Algo  string     `json:"algo"`
	Input []rawValue `json:"input"`
}

type rawRegister struct {
	Name   string  `json:"name"`
	ID     int     `json:"id"`
	Size   int     `json:"size"`
	Width  int     `json:"bitwidth"`
	Source ignored `json:"source_info"`
}

type rawCalculation struct {
	Name   string     `json:"name"`
	ID     int        `json:"id"`
	Algo   string     `json:"algo"`
	Input  []rawValue `json:"input"`
	Source ignored    `json:"source_info"`
}

type rawChecksum struct {
	Name   string    `json:"name"`
	ID     int       `json:"id"`
	Target []string  `json:"target"`
	Type   string    `json:"type"`
	Calc   string    `json:"calculation"`
	Verify *bool     `json:"verify"`
	Update *bool     `json:"update"`
	If     *rawValue `json:"if_cond"`
	Source ignored   `json:"source_info"`
}

type rawAction struct {
	Name       string         `json:"name"`
	ID         int            `json:"id"`
	Params     []rawParam     `json:"runtime_data"`
	Primitives []rawPrimitive `json:"primitives"`
	Source     ignored        `json:"source_info"`
}

type rawParam struct {
	Name  string `json:"name"`
	Width int    `json:"bitwidth"`
}

type rawPipeline struct {
	Name         string           `json:"name"`
	ID           int              `json:"id"`
	Init         *string          `json:"init_table"`
	Tables       []rawTable       `json:"tables"`
	Profiles     []rawProfile     `json:"action_profiles"`
	Conditionals []rawConditional `json:"conditionals"`
	Calls        []rawCall        `json:"action_calls"`
	Source       ignored          `json:"source_info"`
}

type rawConditional struct {
	Name   string   `json:"name"`
	ID     int      `json:"id"`
	Expr   rawValue `json:"expression"`
	True   *string  `json:"true_next"`
	False  *string  `json:"false_next"`
	Source ignored  `json:"source_info"`
}

type rawCall struct {
	Name   string  `json:"name"`
	ID     int     `json:"id"`
	Action int     `json:"action_id"`
	Next   *string `json:"next_node"`
	Source ignored `json:"source_info"`
}

type rawTable struct {
	Name        string             `json:"name"`
	ID          int                `json:"id"`
	Match       string             `json:"match_type"`
	Type        string             `json:"type"`
	MaxSize     int                `json:"max_size"`
	Counters    bool               `json:"with_counters"`
	Timeout     bool               `json:"support_timeout"`
	Key         []rawKey           `json:"key"`
	ActionIDs   []int              `json:"action_ids"`
	Actions     []string           `json:"actions"`
	BaseNext    *string            `json:"base_default_next"`
	Next        map[string]*string `json:"next_tables"`
	DirectMeter *string            `json:"direct_meters"`
	Default     *rawDefault        `json:"default_entry"`
	Entries     []rawEntry         `json:"entries"`
	Profile     string             `json:"action_profile"`
	Source      ignored            `json:"source_info"`
}

type rawKey struct {
	Match  string          `json:"match_type"`
	Target json.RawMessage `json:"target"`
	Mask   *string         `json:"mask"`
	Name   string          `json:"name"`
	Source ignored         `json:"source_info"`
}

type rawDefault struct {
	Action      int      `json:"action_id"`
	ConstAction bool     `json:"action_const"`
	Args        []string `json:"action_data"`
	ConstArgs   bool     `json:"action_entry_const"`
}

type rawEntry struct {
	Key []struct {
		Match     string          `json:"match_type"`
		Key       json.RawMessage `json:"key"`
		PrefixLen int             `json:"prefix_length"`
		Mask      string          `json:"mask"`
		Start     string          `json:"start"`
		End       string          `json:"end"`
	} `json:"match_key"`
	Action struct {
		ID   int      `json:"action_id"`
		Args []string `json:"action_data"`
	} `json:"action_entry"`
	Priority int     `json:"priority"`
	Source   ignored `json:"source_info"`
}
