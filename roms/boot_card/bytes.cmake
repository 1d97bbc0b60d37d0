# cmake -D IN=file -D OUT=header -P bytes.cmake: a binary as an array of bytes.
file(READ ${IN} hex HEX)
string(REGEX REPLACE "(..)" "0x\\1, " bytes "${hex}")
string(REGEX REPLACE "((0x.., ){16})" "\\1\n" bytes "${bytes}")
file(WRITE ${OUT} "constexpr unsigned char kBootCardRom[] = {\n${bytes}\n};\n")
