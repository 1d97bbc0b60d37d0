; tune_pieces.asm: the two pieces, in notes.
;
; Events are a note (MIDI number) and a length in sixteenths; both voices end together.

%macro octave 2                                 ; its number, its C
C%1     equ %2
Cs%1    equ %2 + 1
D%1     equ %2 + 2
Eb%1    equ %2 + 3
E%1     equ %2 + 4
F%1     equ %2 + 5
Fs%1    equ %2 + 6
G%1     equ %2 + 7
Ab%1    equ %2 + 8
A%1     equ %2 + 9
Bb%1    equ %2 + 10
B%1     equ %2 + 11
%endmacro
        octave 2, 36
        octave 3, 48
        octave 4, 60
        octave 5, 72

tunes:                                          ; voices, ms per sixteenth, breath in ms, title
        dw prelude, prelude_rest
        db 205, 0
        dw .prelude
        dw minuet, minuet_bass
        db 122, 22
        dw .minuet
.prelude db "J. S. Bach: Prelude in C, BWV 846", 0
.minuet  db "C. Petzold: Minuet in G, BWV Anh. 114", 0

%macro chord 5                                  ; a bar of the prelude: the same eight notes, twice
%rep 2
        db %1, 1, %2, 1, %3, 1, %4, 1, %5, 1, %3, 1, %4, 1, %5, 1
%endrep
%endmacro
%macro sixteenths 1-*
%rep %0
        db %1, 1
%rotate 1
%endrep
%endmacro

prelude:
        chord C4, E4, G4, C5, E5
        chord C4, D4, A4, D5, F5
        chord B3, D4, G4, D5, F5
        chord C4, E4, G4, C5, E5
        chord C4, E4, A4, E5, A5
        chord C4, D4, Fs4, A4, D5
        chord B3, D4, G4, D5, G5
        chord B3, C4, E4, G4, C5
        chord A3, C4, E4, G4, C5
        chord D3, A3, D4, Fs4, C5
        chord G3, B3, D4, G4, B4
        chord G3, Bb3, E4, G4, Cs5
        chord F3, A3, D4, A4, D5
        chord F3, Ab3, D4, F4, B4
        chord E3, G3, C4, G4, C5
        chord E3, F3, A3, C4, F4
        chord D3, F3, A3, C4, F4
        chord G2, D3, G3, B3, F4
        chord C3, E3, G3, C4, E4
        chord C3, G3, Bb3, C4, E4
        chord F2, F3, A3, C4, E4
        chord Fs2, C3, A3, C4, Eb4
        chord Ab2, F3, B3, C4, D4
        chord G2, F3, G3, B3, D4
        chord G2, E3, G3, C4, E4
        chord G2, D3, G3, C4, F4
        chord G2, D3, G3, B3, F4
        chord G2, Eb3, A3, C4, Fs4
        chord G2, E3, G3, C4, G4
        chord G2, D3, G3, C4, F4
        chord G2, D3, G3, B3, F4
        chord C2, C3, G3, Bb3, E4
        sixteenths C2, C3, F3, A3, C4, F4, C4, A3, C4, A3, F3, A3, F3, D3, F3, D3
        sixteenths C2, B2, G3, B3, D4, F4, D4, B3, D4, B3, G3, B3, D3, F3, E3, D3
        sixteenths C2, C3, E3, G3
        db C4, 12, END, 0
prelude_rest:
        db END, 0

minuet:
%rep 2
        db D5, 4, G4, 2, A4, 2, B4, 2, C5, 2
        db D5, 4, G4, 4, G4, 4
        db E5, 4, C5, 2, D5, 2, E5, 2, Fs5, 2
        db G5, 4, G4, 4, G4, 4
        db C5, 4, D5, 2, C5, 2, B4, 2, A4, 2
        db B4, 4, C5, 2, B4, 2, A4, 2, G4, 2
        db Fs4, 4, G4, 2, A4, 2, B4, 2, G4, 2
        db A4, 12
        db D5, 4, G4, 2, A4, 2, B4, 2, C5, 2
        db D5, 4, G4, 4, G4, 4
        db E5, 4, C5, 2, D5, 2, E5, 2, Fs5, 2
        db G5, 4, G4, 4, G4, 4
        db C5, 4, D5, 2, C5, 2, B4, 2, A4, 2
        db B4, 4, C5, 2, B4, 2, A4, 2, G4, 2
        db A4, 4, B4, 2, A4, 2, G4, 2, Fs4, 2
        db G4, 12
%endrep
%rep 2
        db B5, 4, G5, 2, A5, 2, B5, 2, G5, 2
        db A5, 4, D5, 2, E5, 2, Fs5, 2, D5, 2
        db G5, 4, E5, 2, Fs5, 2, G5, 2, D5, 2
        db Cs5, 4, B4, 2, Cs5, 2, A4, 4
        db A4, 2, B4, 2, Cs5, 2, D5, 2, E5, 2, Fs5, 2
        db G5, 4, Fs5, 4, E5, 4
        db Fs5, 4, A4, 4, Cs5, 4
        db D5, 12
        db D5, 4, G4, 2, Fs4, 2, G4, 4
        db E5, 4, G4, 2, Fs4, 2, G4, 4
        db D5, 4, C5, 4, B4, 4
        db A4, 2, G4, 2, Fs4, 2, G4, 2, A4, 4
        db D4, 2, E4, 2, Fs4, 2, G4, 2, A4, 2, B4, 2
        db C5, 4, B4, 4, A4, 4
        db B4, 2, D5, 2, G4, 4, Fs4, 4
        db G4, 12
%endrep
        db END, 0
minuet_bass:
%rep 2
        db G3, 8, A3, 4
        db B3, 12
        db C4, 12
        db B3, 12
        db A3, 12
        db G3, 12
        db D4, 4, B3, 4, G3, 4
        db D4, 4, D3, 2, C4, 2, B3, 2, A3, 2
        db B3, 8, A3, 4
        db G3, 4, B3, 4, G3, 4
        db C4, 12
        db B3, 4, C4, 2, B3, 2, A3, 2, G3, 2
        db A3, 8, Fs3, 4
        db G3, 8, B3, 4
        db C4, 4, D4, 4, D3, 4
        db G3, 8, G2, 4
%endrep
%rep 2
        db G3, 12
        db Fs3, 12
        db E3, 4, G3, 4, E3, 4
        db A3, 8, A2, 4
        db A3, 12
        db B3, 4, D4, 4, Cs4, 4
        db D4, 4, Fs3, 4, A3, 4
        db D4, 4, D3, 4, C4, 4
        db B3, 8, B3, 4
        db C4, 8, C4, 4
        db B3, 4, A3, 4, G3, 4
        db D4, 8, REST, 4
        db D3, 8, Fs3, 4
        db E3, 4, G3, 4, Fs3, 4
        db G3, 4, B2, 4, D3, 4
        db G3, 4, D3, 4, G2, 4
%endrep
        db END, 0
