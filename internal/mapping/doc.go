// Package mapping reads foreign tables as subjects. A mapping is a YAML file, written
// once per kind of table, that says which columns identify a person and how the
// attributes of the catalogue are made from the others; [Mapping.Row] applies it to one
// record and gives a [Draft] whose values are in their canonical form already.
//
//	format: csv
//	delimiter: ";"
//	source: shop
//	identifiers:
//	  - {type: customer_number, column: ID}
//	attributes:
//	  birth_date: {column: Born, format: DD/MM/YYYY}
//	  income: {column: Income, empty: [NA]}
//	  spend_total: {sum: [Wine, Fruit]}
//	  spend_by_category: {entries: {wine: Wine, fruit: Fruit}}
//	  campaigns_accepted: {list: {spring: Answered1}}
//
// A mapping that could mean two things is refused when it is read, not when a row trips
// over it: keys nobody knows, attributes the catalogue lacks, rules that do not fit the
// type. A row that does not fit is refused as a whole; the error names the column and
// what was expected there, never what was found.
package mapping
