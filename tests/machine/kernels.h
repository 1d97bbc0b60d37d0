/// Kernels for tests, made byte by byte: they do nothing but stop the processor, so that a test can
/// look at what they were given.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "machine/base/types.h"

namespace reprise::test {

class Bytes : public std::vector<u8> {
public:
    using std::vector<u8>::vector;

    void set(std::size_t at, u64 value, std::size_t size)
    {
        if (this->size() < at + size) resize(at + size);
        for (std::size_t i = 0; i < size; ++i) (*this)[at + i] = static_cast<u8>(value >> 8 * i);
    }
    void set(std::size_t at, std::string_view text)
    {
        for (std::size_t i = 0; i < text.size(); ++i) set(at + i, static_cast<u8>(text[i]), 1);
    }
};

inline constexpr u16 kStop = 0xF4FA;  // cli, hlt

/// Linux with setup code of two sectors and a body of 8 KiB, each of which begins with kStop.
/// (boot.rst, "The Real-Mode Kernel Header")
inline Bytes linux_kernel(u16 version)
{
    constexpr std::size_t kSetup = 3 * 512, kBody = 8192;
    Bytes image(kSetup + kBody);
    image.set(0x1F1, 2, 1);           // setup_sects
    image.set(0x1F4, kBody / 16, 4);  // syssize
    image.set(0x1FE, 0xAA55, 2);
    image.set(0x200, 0x7EEB, 2);  // jump to 280h
    image.set(0x202, "HdrS");
    image.set(0x206, version, 2);
    image.set(0x211, 0x01, 1);        // LOADED_HIGH
    image.set(0x214, 0x100000, 4);    // code32_start
    image.set(0x22C, 0x7FFFFFFF, 4);  // initrd_addr_max
    image.set(0x238, 2047, 4);        // cmdline_size
    image.set(0x280, kStop, 2);
    for (std::size_t i = 0; i < kBody; ++i) image[kSetup + i] = static_cast<u8>(i * 7 + i / 256);
    image.set(kSetup, kStop, 2);
    image.set(kSetup + 0x200, kStop, 2);  // the 64-bit entry
    return image;
}

inline constexpr u32 kMultibootMagic = 0x1BADB002;

inline void add_multiboot_header(Bytes& image, std::size_t at, u32 flags)
{
    image.set(at, kMultibootMagic, 4);
    image.set(at + 4, flags, 4);
    image.set(at + 8, 0 - kMultibootMagic - flags, 4);
}

/// An ELF program at 2 MB, linked at C0200000h, whose code stops; 100h bytes in the file and 3000h
/// in memory. (System V ABI, chapter 4 and 5)
inline Bytes multiboot_elf(u32 flags = 0)
{
    Bytes image(0x1100);
    image.set(0,
              "\x7F"
              "ELF\x01\x01\x01");
    image.set(16, 2, 2);           // executable
    image.set(18, 3, 2);           // 386
    image.set(24, 0xC0200010, 4);  // entry
    image.set(28, 52, 4);          // program headers
    image.set(42, 32, 2);
    image.set(44, 1, 2);
    image.set(52, 1, 4);           // PT_LOAD
    image.set(56, 0x1000, 4);      // offset
    image.set(60, 0xC0200000, 4);  // virtual
    image.set(64, 0x200000, 4);    // physical
    image.set(68, 0x100, 4);       // in the file
    image.set(72, 0x3000, 4);      // in memory
    add_multiboot_header(image, 0x100, flags);
    image.set(0x1010, kStop, 2);
    image.set(0x10FF, 0x5A, 1);
    return image;
}

}  // namespace reprise::test
