#include "cpu/jit/code_memory.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstring>

namespace reprise::jit {

CodeMemory::CodeMemory(std::size_t size) : size_(size)
{
    const int fd = memfd_create("reprise-code", MFD_CLOEXEC);
    if (fd < 0) return;
    if (ftruncate(fd, static_cast<off_t>(size)) == 0) {
        void* write = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        void* run = mmap(nullptr, size, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
        if (write != MAP_FAILED && run != MAP_FAILED) {
            write_ = static_cast<u8*>(write);
            run_ = static_cast<u8*>(run);
        } else {
            if (write != MAP_FAILED) munmap(write, size);
            if (run != MAP_FAILED) munmap(run, size);
        }
    }
    close(fd);
}

CodeMemory::~CodeMemory()
{
    if (!run_) return;
    munmap(write_, size_);
    munmap(run_, size_);
}

u8* CodeMemory::add(const void* code, std::size_t size)
{
    std::memcpy(write_ + used_, code, size);
    u8* at = run_ + used_;
    used_ = (used_ + size + 15) & ~std::size_t{15};
    return at;
}

void CodeMemory::patch(u8* site, const u8* target)
{
    const i32 displacement = static_cast<i32>(target - (site + 4));
    std::memcpy(write_ + (site - run_), &displacement, sizeof displacement);
}

}  // namespace reprise::jit
