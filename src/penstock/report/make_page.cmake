# Joins page/ into page.cc. Usage: cmake -DSOURCE=<this folder> -DOUTPUT=<page.cc> -P make_page.cmake
set(text "")
foreach(part head.html style.css body.html base.js records.js graph.js timeline.js tables.js plots.js
        map.js results.js details.js main.js)
  file(READ "${SOURCE}/page/${part}" content)
  string(APPEND text "${content}")
endforeach()
string(APPEND text "</script>\n")
# One raw string per 16,000 characters: compilers need not take longer literals.
set(literals "")
string(LENGTH "${text}" length)
set(begin 0)
while(begin LESS length)
  string(SUBSTRING "${text}" ${begin} 16000 piece)
  string(APPEND literals "    R\"penstock(${piece})penstock\"\n")
  math(EXPR begin "${begin} + 16000")
endwhile()
file(WRITE "${OUTPUT}"
     "// Made by make_page.cmake.\n#include \"penstock/report/page.h\"\n\n"
     "namespace penstock::report {\nconst std::string_view kPageStart =\n${literals}    ;\n"
     "}  // namespace penstock::report\n")
