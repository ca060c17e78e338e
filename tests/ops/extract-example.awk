# Takes the C code out of a page of documentation, with lines that lead back to the page.
/^```c$/ { printf "#line %d \"%s\"\n", NR + 1, FILENAME; code = 1; next }
/^```$/  { code = 0; next }
code     { print }
